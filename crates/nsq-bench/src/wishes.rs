//! `Wishes`: what a connection wants to be switched on, and whether nsqd has done so.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// The part of IDENTIFY that changes how all further bytes are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Wishes {
    pub(crate) feature_negotiation: bool,
    pub(crate) tls_v1: bool,
    pub(crate) snappy: bool,
    pub(crate) deflate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deflate_level: Option<u8>,
}

/// The part of nsqd's answer that tells what was switched on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Granted {
    tls_v1: bool,
    snappy: bool,
    deflate: bool,
    deflate_level: i64,
}

impl Wishes {
    /// Fails unless the answer to IDENTIFY grants what was wished for, and nothing else.
    ///
    /// A connection that went on without would measure something else than it was told to.
    pub(crate) fn check(&self, answer: &[u8]) -> Result<()> {
        let granted: Granted = serde_json::from_slice(answer)
            .with_context(|| format!("nsqd answered {}", String::from_utf8_lossy(answer)))?;
        for (feature, wished, granted) in [
            ("TLS", self.tls_v1, granted.tls_v1),
            ("snappy", self.snappy, granted.snappy),
            ("deflate", self.deflate, granted.deflate),
        ] {
            ensure!(granted || !wished, "nsqd does not grant {feature}");
            ensure!(wished || !granted, "nsqd demands {feature}");
        }
        if let Some(level) = self.deflate_level {
            let granted = granted.deflate_level;
            ensure!(
                granted == i64::from(level),
                "nsqd grants deflate with level {granted}, not {level} (see its \
                 --max-deflate-level)"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_BUT_SNAPPY: Wishes = Wishes {
        feature_negotiation: true,
        tls_v1: true,
        snappy: false,
        deflate: true,
        deflate_level: Some(9),
    };

    #[test]
    fn wishes_are_granted_exactly_or_refused_by_name() {
        let cases = [
            (r#"{"tls_v1":true,"deflate":true,"deflate_level":9,"snappy":false}"#, None),
            (r#"{"tls_v1":true,"deflate":true,"deflate_level":9}"#, None),
            (r#"{"deflate":true,"deflate_level":9}"#, Some("nsqd does not grant TLS")),
            (r#"{"tls_v1":true}"#, Some("nsqd does not grant deflate")),
            (
                r#"{"tls_v1":true,"deflate":true,"deflate_level":9,"snappy":true}"#,
                Some("nsqd demands snappy"),
            ),
            (
                r#"{"tls_v1":true,"deflate":true,"deflate_level":6}"#,
                Some("nsqd grants deflate with level 6, not 9 (see its --max-deflate-level)"),
            ),
            ("OK", Some("nsqd answered OK")),
        ];
        for (answer, expected) in cases {
            let refusal = ALL_BUT_SNAPPY.check(answer.as_bytes()).err();
            assert_eq!(refusal.map(|error| error.to_string()).as_deref(), expected, "{answer}");
        }
    }

    #[test]
    fn wishes_are_written_as_nsqd_reads_them() {
        assert_eq!(
            serde_json::to_string(&ALL_BUT_SNAPPY).unwrap(),
            r#"{"feature_negotiation":true,"tls_v1":true,"snappy":false,"deflate":true,"#
                .to_owned()
                + r#""deflate_level":9}"#
        );
    }
}
