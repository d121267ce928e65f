//! The content codings of HTTP that responses are sent in.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use hyper::HeaderMap;
use hyper::header::{ACCEPT_ENCODING, HeaderValue};

/// Twice as fast as zlib's default of 6, for a few per cent more bytes.
const LEVEL: Compression = Compression::new(4);

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    /// Without zlib's header and checksum, as Go NSQ and most others take the word.
    Deflate,
}

impl Coding {
    /// The first one that a request lists, as in Go NSQ; its weight counts only if it is zero.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let lists = headers.get_all(ACCEPT_ENCODING).iter();
        lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b',')).find_map(Self::of)
    }

    /// `gzip;q=0.5`. None if it is another one, not wanted, or malformed.
    fn of(element: &[u8]) -> Option<Self> {
        let mut parts = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next()?;
        let coding = match () {
            () if name.eq_ignore_ascii_case(b"gzip") => Self::Gzip,
            () if name.eq_ignore_ascii_case(b"deflate") => Self::Deflate,
            () => return None,
        };
        let is_wanted = match (parts.next(), parts.next()) {
            (None, _) => true,
            (Some(weight), None) => is_above_zero(weight),
            (Some(_), Some(_)) => false,
        };
        is_wanted.then_some(coding)
    }

    /// The value of `Content-Encoding`.
    pub(super) fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        })
    }

    /// A body in this coding, if that makes it shorter.
    pub(super) fn shorten(self, body: &[u8]) -> Option<Bytes> {
        // Writing into memory does not fail; a body as it is would be right, too.
        let encoded = self.encode(body).ok()?;
        (encoded.len() < body.len()).then(|| encoded.into())
    }

    fn encode(self, body: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
                encoder.write_all(body)?;
                encoder.finish()
            }
            Self::Deflate => {
                let mut encoder = DeflateEncoder::new(Vec::new(), LEVEL);
                encoder.write_all(body)?;
                encoder.finish()
            }
        }
    }
}

/// Whether a weight is well-formed, `q=0.001` to `q=1.000`, and not zero.
fn is_above_zero(weight: &[u8]) -> bool {
    let [b'q' | b'Q', b'=', whole, rest @ ..] = weight else { return false };
    let decimals = match rest {
        [] => rest,
        [b'.', decimals @ ..] if decimals.len() <= 3 => decimals,
        _ => return false,
    };
    if !decimals.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let are_zeros = decimals.iter().all(|digit| *digit == b'0');
    matches!((whole, are_zeros), (b'1', true) | (b'0', false))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepted(lists: &[&[u8]]) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_bytes(list).expect("a value"));
        }
        Coding::accepted(&headers)
    }

    #[test]
    fn lists() {
        let (gzip, deflate) = (Some(Coding::Gzip), Some(Coding::Deflate));
        for (list, expected) in [
            ("gzip", gzip),
            ("deflate", deflate),
            ("gzip, deflate, br, zstd", gzip),
            ("br,deflate,gzip", deflate),
            (" \tGZip\t ", gzip),
            ("gzip;q=0.1, deflate", gzip),
            ("gzip;q=0, deflate", deflate),
            ("gzip ; q=0.000 , deflate ; Q=0.001", deflate),
            ("gzip;q=1.000", gzip),
            ("gzip;q=1.", gzip),
            ("", None),
            (",,;,", None),
            ("*", None),
            ("identity, br, x-gzip, gzip2", None),
            ("gzip;q=0", None),
            ("gzip;q=0.", None),
            ("gzip;q=2", None),
            ("gzip;q=1.001", None),
            ("gzip;q=0.0001", None),
            ("gzip;q=-1", None),
            ("gzip;q=.5", None),
            ("gzip;q= 1", None),
            ("gzip;q", None),
            ("gzip;", None),
            ("gzip;a=1", None),
            ("gzip;q=1;q=1", None),
            ("g zip", None),
        ] {
            assert_eq!(accepted(&[list.as_bytes()]), expected, "{list}");
        }
        assert_eq!(accepted(&[]), None);
        assert_eq!(accepted(&[b"br", b"deflate", b"gzip"]), deflate);
        assert_eq!(accepted(&[b"gzip;q=\xff\xfe, \x80"]), None);
    }

    proptest! {
        /// Whatever comes, there is an answer, and it was asked for.
        #[test]
        fn hostile_lists(list in "([ -~\\t\u{80}-\u{ff}]|gzip|deflate|;q=|0|1|,|;|\\.){0,60}") {
            let named = |name| list.to_ascii_lowercase().contains(name);
            match accepted(&[list.as_bytes()]) {
                Some(Coding::Gzip) => prop_assert!(named("gzip")),
                Some(Coding::Deflate) => prop_assert!(named("deflate")),
                None => {}
            }
        }

        /// The first that has a weight above zero.
        #[test]
        fn weighted_lists(list in prop::collection::vec((0..3_usize, 0..=1000_u32), 0..8)) {
            let names = ["gzip", "deflate", "br"];
            let element = |&(name, weight): &(usize, u32)| {
                format!("{};q={}.{:03}", names[name], weight / 1000, weight % 1000)
            };
            let text = list.iter().map(element).collect::<Vec<_>>().join(", ");
            let first = list.iter().find(|(name, weight)| *name < 2 && *weight > 0);
            let expected = first.map(|(name, _)| [Coding::Gzip, Coding::Deflate][*name]);
            prop_assert_eq!(accepted(&[text.as_bytes()]), expected);
        }
    }
}
