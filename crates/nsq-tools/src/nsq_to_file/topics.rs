//! Which topics are written.

use std::collections::BTreeSet;

use regex::Regex;

/// The topics that are known, and what was done with them.
#[derive(Debug)]
pub(super) struct Topics {
    /// `--topic-pattern`
    pattern: Option<Regex>,
    started: BTreeSet<String>,
    /// They are told about once.
    skipped: BTreeSet<String>,
}

/// What to do about the topics that were named.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// To be started, again if that failed.
    pub(super) wanted: Vec<String>,
    /// Named for the first time, and not matched by the pattern.
    pub(super) skipped: Vec<String>,
}

impl Topics {
    pub(super) fn new(pattern: Option<Regex>) -> Self {
        Self { pattern, started: BTreeSet::new(), skipped: BTreeSet::new() }
    }

    /// These topics are there.
    pub(super) fn on_named(&mut self, topics: impl IntoIterator<Item = String>) -> News {
        let mut news = News::default();
        for topic in topics {
            let is_allowed = self.pattern.as_ref().is_none_or(|it| it.is_match(&topic));
            if !is_allowed {
                if self.skipped.insert(topic.clone()) {
                    news.skipped.push(topic);
                }
            } else if !self.started.contains(&topic) && !news.wanted.contains(&topic) {
                news.wanted.push(topic);
            }
        }
        news
    }

    /// A topic is written from now on, even if nobody knows of it any more.
    pub(super) fn on_started(&mut self, topic: String) {
        self.started.insert(topic);
    }

    pub(super) fn has_none(&self) -> bool {
        self.started.is_empty()
    }

    /// The pattern as it was given; empty if there is none.
    pub(super) fn pattern(&self) -> &str {
        self.pattern.as_ref().map_or("", Regex::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(topics: &mut Topics, named: &[&str], wanted: &[&str], skipped: &[&str]) {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let news = topics.on_named(owned(named));
        assert_eq!(news, News { wanted: owned(wanted), skipped: owned(skipped) }, "{named:?}");
    }

    #[test]
    fn without_a_pattern_all_are_wanted_until_they_are_started() {
        let mut topics = Topics::new(None);
        check(&mut topics, &["a", "b", "a"], &["a", "b"], &[]);
        assert!(topics.has_none());
        topics.on_started("a".to_owned());
        check(&mut topics, &["a", "b"], &["b"], &[]);
        assert!(!topics.has_none());
    }

    #[test]
    fn a_pattern_matches_anywhere_unless_it_says_otherwise() {
        let mut topics = Topics::new(Some(Regex::new("log[0-9]").expect("valid")));
        check(&mut topics, &["mylog1x", "log", "x"], &["mylog1x"], &["log", "x"]);
        check(&mut topics, &["mylog1x", "log", "y"], &["mylog1x"], &["y"]);
        let mut whole = Topics::new(Some(Regex::new("^log[0-9]$").expect("valid")));
        check(&mut whole, &["mylog1", "log1"], &["log1"], &["mylog1"]);
    }
}
