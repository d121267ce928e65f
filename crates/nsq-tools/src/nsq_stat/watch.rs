//! Looking at one channel again and again.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use nsq_api::cluster::{Cluster, Failure, NodeStats, Rates, StatsQuery, Totals};

use super::report::Line;
use crate::cli::say;

/// One channel of a cluster, and what was last seen of it.
pub(super) struct Watch {
    cluster: Cluster,
    topic: String,
    channel: String,
    seen: Option<Vec<NodeStats>>,
    /// The addresses that were warned of and did not answer since.
    failing: BTreeSet<String>,
}

impl Watch {
    pub(super) fn new(cluster: Cluster, topic: &str, channel: &str) -> Self {
        let (topic, channel) = (topic.to_owned(), channel.to_owned());
        Self { cluster, topic, channel, seen: None, failing: BTreeSet::new() }
    }

    /// Looks. There is a line from the second time on, with rates for `interval`.
    pub(super) async fn poll(&mut self, interval: Duration) -> anyhow::Result<Option<Line>> {
        let Self { cluster, topic, channel, .. } = self;
        let nodes = cluster.topic_nodes(topic).await.ensure_any();
        let (nodes, mut failures) = nodes.context("ERROR: failed to get topic producers")?;
        let query = StatsQuery {
            topic: Some(topic.clone()),
            channel: Some(channel.clone()),
            include_clients: false,
        };
        let stats = cluster.stats(&nodes, &query).await.ensure_any();
        let (stats, more_failures) = stats.context("ERROR: failed to get nsqd stats")?;
        let totals = Totals::of(&stats).channel(topic, channel).copied();
        let totals = totals.with_context(|| {
            format!("ERROR: failed to find channel({channel}) in stats metadata for topic({topic})")
        })?;
        let rates = self.seen.as_ref().map(|seen| Rates::between(seen, &stats, interval));
        let rates = rates.and_then(|rates| rates.channel(&self.topic, &self.channel).copied());
        self.seen = Some(stats);
        failures.extend(more_failures);
        self.warn(&failures);
        Ok(rates.map(|rates| Line { totals, rates }))
    }

    /// Says of each address once that it does not answer, until it does again.
    fn warn(&mut self, failures: &[Failure]) {
        let known = std::mem::take(&mut self.failing);
        for failure in failures {
            if !known.contains(&failure.address) && !self.failing.contains(&failure.address) {
                say(format_args!("WARNING: {failure}"));
            }
            self.failing.insert(failure.address.clone());
        }
    }
}
