//! Paths of routes, and what of a request's path fits them.

use super::escape::escape_path;

/// The path of a route: `/topic/create`, or `/config/:name` with a free last element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PathPattern {
    /// Everything before the free element, or all.
    fixed: &'static str,
    has_parameter: bool,
}

impl PathPattern {
    /// # Panics
    ///
    /// When `pattern` does not start with `/` or `:` is not the start of its last element:
    /// routes are written by us.
    pub(super) fn new(pattern: &'static str) -> Self {
        assert!(pattern.starts_with('/'), "{pattern}");
        match pattern.split_once(':') {
            None => Self { fixed: pattern, has_parameter: false },
            Some((fixed, name)) => {
                assert!(fixed.ends_with('/') && !name.contains('/'), "{pattern}");
                Self { fixed, has_parameter: true }
            }
        }
    }

    /// Matches exactly. Returns the free element, empty for a pattern without one.
    pub(super) fn matched<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.fixed)?;
        self.fits(rest).then_some(rest)
    }

    /// The right spelling of a path that differs from this pattern only in case, or in a final
    /// slash. `cleaned` comes from [`clean`].
    pub(super) fn corrected(&self, cleaned: &str) -> Option<String> {
        if !self.has_parameter {
            let matches = self.fixed.trim_end_matches('/').eq_ignore_ascii_case(cleaned);
            return matches.then(|| self.fixed.to_owned());
        }
        let (start, rest) = cleaned.split_at_checked(self.fixed.len())?;
        let matches = start.eq_ignore_ascii_case(self.fixed) && self.fits(rest);
        matches.then(|| format!("{}{}", self.fixed, escape_path(rest)))
    }

    fn fits(&self, rest: &str) -> bool {
        if self.has_parameter { !rest.is_empty() && !rest.contains('/') } else { rest.is_empty() }
    }
}

/// Removes empty elements, `.` and `..` (never above the root) and a final slash; the root
/// becomes empty.
pub(super) fn clean(path: &str) -> String {
    let mut elements: Vec<&str> = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." => {
                elements.pop();
            }
            element => elements.push(element),
        }
    }
    elements.iter().flat_map(|element| ["/", element]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_matches() {
        for (pattern, path, expected) in [
            ("/ping", "/ping", Some("")),
            ("/ping", "/ping/", None),
            ("/ping", "/Ping", None),
            ("/ping", "/pin", None),
            ("/", "/", Some("")),
            ("/", "/x", None),
            ("/config/:name", "/config/log_level", Some("log_level")),
            ("/config/:name", "/config/", None),
            ("/config/:name", "/config", None),
            ("/config/:name", "/config/a/b", None),
        ] {
            assert_eq!(PathPattern::new(pattern).matched(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn corrections() {
        for (pattern, path, expected) in [
            ("/ping", "/PING", Some("/ping")),
            ("/ping", "/ping/", Some("/ping")),
            ("/ping", "//ping", Some("/ping")),
            ("/ping", "/foo/../ping", Some("/ping")),
            ("/ping", "/../../ping", Some("/ping")),
            ("/ping", "/./ping/.", Some("/ping")),
            ("/ping", "/ping/x", None),
            ("/debug/pprof/", "/debug/pprof", Some("/debug/pprof/")),
            ("/", "//", Some("/")),
            ("/config/:name", "/CONFIG/Log_Level/", Some("/config/Log_Level")),
            ("/config/:name", "/config//a b", Some("/config/a%20b")),
            ("/config/:name", "/configé", None),
            ("/config/:name", "/config/", None),
        ] {
            let corrected = PathPattern::new(pattern).corrected(&clean(path));
            assert_eq!(corrected.as_deref(), expected, "{pattern} {path}");
        }
    }
}
