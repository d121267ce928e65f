//! Paths of routes, and what of a request's path fits them.

use std::borrow::Cow;

use super::escape::escape_path;

/// The path of a route: `/topic/create`, or `/config/:name` with free last elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathPattern {
    /// Everything before the free elements, or all.
    fixed: Cow<'static, str>,
    /// How many elements are free.
    parameters: usize,
}

impl PathPattern {
    /// # Panics
    ///
    /// When `pattern` does not start with `/` or an element behind a free one is not free:
    /// routes are written by us.
    pub(super) fn new(pattern: &'static str) -> Self {
        assert!(pattern.starts_with('/'), "{pattern}");
        let Some(at) = pattern.find(':') else {
            return Self { fixed: Cow::Borrowed(pattern), parameters: 0 };
        };
        let (fixed, free) = pattern.split_at(at);
        let is_free = fixed.ends_with('/') && free.split('/').all(|name| name.starts_with(':'));
        assert!(is_free, "{pattern}");
        Self { fixed: Cow::Borrowed(fixed), parameters: free.split('/').count() }
    }

    /// The same below `base`, which has no final slash. The root is then `base` itself.
    pub(super) fn below(self, base: &str) -> Self {
        let rest = if self.fixed == "/" { "" } else { &*self.fixed };
        Self { fixed: Cow::Owned(format!("{base}{rest}")), parameters: self.parameters }
    }

    /// Matches exactly. Returns the free elements, empty for a pattern without one.
    pub(super) fn matched<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(&*self.fixed)?;
        self.fits(rest).then_some(rest)
    }

    /// The right spelling of a path that differs from this pattern only in case, or in a final
    /// slash. `cleaned` comes from [`clean`].
    pub(super) fn corrected(&self, cleaned: &str) -> Option<String> {
        let fixed = &*self.fixed;
        if self.parameters == 0 {
            let matches = fixed.trim_end_matches('/').eq_ignore_ascii_case(cleaned);
            return matches.then(|| escape_path(fixed));
        }
        let (start, rest) = cleaned.split_at_checked(fixed.len())?;
        let matches = start.eq_ignore_ascii_case(fixed) && self.fits(rest);
        matches.then(|| escape_path(&format!("{fixed}{rest}")))
    }

    fn fits(&self, rest: &str) -> bool {
        if self.parameters == 0 {
            return rest.is_empty();
        }
        let mut elements = rest.split('/');
        elements.all(|element| !element.is_empty()) && rest.split('/').count() == self.parameters
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
            ("/topics/:topic/:channel", "/topics/t/c", Some("t/c")),
            ("/topics/:topic/:channel", "/topics/t", None),
            ("/topics/:topic/:channel", "/topics/t/", None),
            ("/topics/:topic/:channel", "/topics/t/c/d", None),
        ] {
            assert_eq!(PathPattern::new(pattern).matched(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn below_a_base() {
        for (pattern, path, expected) in [
            ("/", "/a/b", Some("")),
            ("/", "/", None),
            ("/ping", "/a/b/ping", Some("")),
            ("/ping", "/ping", None),
            ("/topics/:topic", "/a/b/topics/t", Some("t")),
        ] {
            let pattern = PathPattern::new(pattern).below("/a/b");
            assert_eq!(pattern.matched(path), expected, "{pattern:?} {path}");
        }
        let root = PathPattern::new("/").below("/a b");
        assert_eq!(root.corrected(&clean("/a b/")).as_deref(), Some("/a%20b"));
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
