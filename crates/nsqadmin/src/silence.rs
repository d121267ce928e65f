//! Who does not answer, told once and not with every look.

use std::collections::BTreeMap;

use nsq_app::LogLevel;

use crate::overview::Overview;

/// The daemons that did not answer in the last look: addresses with reasons.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    silent: BTreeMap<String, String>,
}

impl Silence {
    /// What has changed with this look, as lines of the log. Another reason is no change.
    pub(crate) fn changes(&mut self, overview: &Overview) -> Vec<(LogLevel, String)> {
        let nodes = overview.nodes.iter();
        let nodes =
            nodes.filter_map(|seen| Some((seen.node.address.clone(), seen.failure.clone()?)));
        let lookupds = overview.lookupd_failures.iter().cloned();
        let now: BTreeMap<_, _> = lookupds.chain(nodes).collect();
        let fallen = now.iter().filter(|(address, _)| !self.silent.contains_key(*address));
        let fallen =
            fallen.map(|(_, reason)| (LogLevel::Warning, format!("WATCH: no answer - {reason}")));
        let others = self.silent.keys().filter(|address| !now.contains_key(*address));
        let others = others.map(|address| {
            (LogLevel::Info, format!("WATCH: {address} answers again, or is no more"))
        });
        let changes = fallen.chain(others).collect();
        self.silent = now;
        changes
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use nsq_api::cluster::Node;

    use super::*;
    use crate::overview::NodeOverview;

    /// A look in which a node, and an nsqlookupd, answer or do not.
    #[track_caller]
    fn check(silence: &mut Silence, node: Option<&str>, lookupd: Option<&str>, expected: &[&str]) {
        let seen = NodeOverview {
            node: Node { address: "n:1".to_owned(), ..Node::default() },
            failure: node.map(ToOwned::to_owned),
            ..NodeOverview::default()
        };
        let lookupd = lookupd.map(|reason| ("l:1".to_owned(), reason.to_owned()));
        let overview = Overview {
            taken: SystemTime::UNIX_EPOCH,
            took: Duration::ZERO,
            nodes: vec![seen],
            topics: BTreeMap::new(),
            lookupd_failures: lookupd.into_iter().collect(),
            gone: Vec::new(),
            failures: Vec::new(),
            findings: Vec::new(),
            other_findings: 0,
        };
        let changes = silence.changes(&overview);
        let lines: Vec<_> =
            changes.iter().map(|(level, text)| format!("{level:?} {text}")).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn silence_is_told_when_it_begins_and_ends() {
        let silence = &mut Silence::default();
        check(silence, None, None, &[]);
        check(silence, Some("refused"), None, &["Warning WATCH: no answer - refused"]);
        check(silence, Some("no answer in time"), None, &[]);
        check(silence, Some("x"), Some("lost"), &["Warning WATCH: no answer - lost"]);
        let again =
            ["l:1", "n:1"].map(|who| format!("Info WATCH: {who} answers again, or is no more"));
        check(silence, None, None, &again.each_ref().map(|line| &**line));
        check(silence, None, None, &[]);
    }
}
