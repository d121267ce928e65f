//! The language of a page.

use nsq_app::http::HeaderMap;

/// A language that pages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Chinese,
}

impl Language {
    /// The one that the browser likes best, by `Accept-Language`; English if it likes neither.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let wanted = headers.get("accept-language").and_then(|value| value.to_str().ok());
        Self::preferred(wanted.unwrap_or_default())
    }

    fn preferred(wanted: &str) -> Self {
        let mut best = (Self::English, 0.0);
        for range in wanted.split(',') {
            let (name, parameter) = range.split_once(';').unwrap_or((range, ""));
            let quality = parameter.trim().strip_prefix("q=").and_then(|q| q.parse().ok());
            let quality: f32 = if parameter.is_empty() { 1.0 } else { quality.unwrap_or(0.0) };
            let primary = name.trim().split('-').next().unwrap_or_default();
            let language = match primary.to_ascii_lowercase().as_str() {
                "zh" => Self::Chinese,
                "en" => Self::English,
                _ => continue,
            };
            if quality > best.1 {
                best = (language, quality);
            }
        }
        best.0
    }

    /// Its name in HTML.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{self, Chinese, English};

    #[test]
    fn what_the_browser_likes_best() {
        for (wanted, expected) in [
            ("", English),
            ("zh-CN,zh;q=0.9,en;q=0.8", Chinese),
            ("en-US,en;q=0.9,zh-CN;q=0.8", English),
            ("de, zh;q=0.5, en;q=0.4", Chinese),
            ("en;q=0.1, ZH-TW ; q=0.2", Chinese),
            ("zh;q=0", English),
            ("zh;q=x", English),
            ("fr", English),
            (",,;;q=,zh;q=NaN", English),
        ] {
            assert_eq!(Language::preferred(wanted), expected, "{wanted}");
        }
    }
}
