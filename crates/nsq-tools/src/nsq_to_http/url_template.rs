//! A URL with a place for the message.

/// `http://host/path?d=%s`: the message, escaped, takes the place of `%s`.
///
/// NSQ takes the URL for a printf format, in which `%%` is a percent sign and anything else behind
/// one garbles the request. Here anything else is what it looks like: `%2F` needs no `%%`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UrlTemplate {
    before: String,
    behind: String,
}

impl UrlTemplate {
    /// `None` unless there is exactly one place.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.matches("%s").count() != 1 {
            return None;
        }
        // In `%%s` the percent sign is escaped, and there is no place.
        let mut at = 0;
        while let Some(percent) = text.get(at..)?.find('%') {
            at += percent;
            match text.as_bytes().get(at + 1) {
                Some(b's') => {
                    let (before, behind) = (text.get(..at)?, text.get(at + 2..)?);
                    let [before, behind] = [before, behind].map(|part| part.replace("%%", "%"));
                    return Some(Self { before, behind });
                }
                Some(b'%') => at += 2,
                _ => at += 1,
            }
        }
        None
    }

    /// The URL for a message.
    pub(super) fn fill(&self, message: &[u8]) -> String {
        let mut url = String::with_capacity(
            self.before.len() + self.behind.len() + message.len().saturating_mul(3),
        );
        url.push_str(&self.before);
        for &byte in message {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    url.push(char::from(byte));
                }
                b' ' => url.push('+'),
                byte => {
                    url.push('%');
                    url.extend([byte >> 4, byte & 0xf].map(hexadecimal));
                }
            }
        }
        url.push_str(&self.behind);
        url
    }
}

fn hexadecimal(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or_default().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_is_needed() {
        for (text, expected) in [
            ("http://h/?d=%s", Some("http://h/?d=M")),
            ("http://h/%s/x?%%25=%20", Some("http://h/M/x?%25=%20")),
            ("http://h/?d=%%%s", Some("http://h/?d=%M")),
            ("%s", Some("M")),
            ("http://h/%", None),
            ("http://h/", None),
            ("http://h/%s%s", None),
            ("http://h/?d=%%s", None),
            ("é%é%s%", Some("é%éM%")),
        ] {
            let filled = UrlTemplate::parse(text).map(|template| template.fill(b"M"));
            assert_eq!(filled.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn messages_are_escaped_as_in_go() {
        let template = UrlTemplate::parse("%s").expect("a place");
        // The output of Go's url.QueryEscape.
        for (message, expected) in [
            ("hello wörld&x=1/?".as_bytes(), "hello+w%C3%B6rld%26x%3D1%2F%3F"),
            (b"-_.~", "-_.~"),
            (b"+%\"'()*!", "%2B%25%22%27%28%29%2A%21"),
            (b"\x00\xff\n", "%00%FF%0A"),
            (b"", ""),
        ] {
            assert_eq!(template.fill(message), expected);
        }
    }
}
