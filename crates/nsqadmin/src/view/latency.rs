//! Percentiles of the time from publish to FIN.

use nsq_api::{Latency, LatencyPercentile};
use serde::Serialize;

use super::ALL_NODES;

/// No nsqd is told to measure that many.
const PERCENTILES_MAX: usize = 64;

/// Of one node, or merged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LatencyView {
    pub(crate) count: u64,
    pub(crate) percentiles: Option<Vec<PercentileView>>,
    /// Only when merged.
    topic: String,
    channel: String,
    host: &'static str,
}

/// Keys sorted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PercentileView {
    pub(crate) average: f64,
    count: u64,
    pub(crate) max: f64,
    pub(crate) min: f64,
    pub(crate) quantile: f64,
    /// What the node said; nothing when merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

impl LatencyView {
    /// What one node says.
    pub(crate) fn of_node(latency: &Latency) -> Self {
        let count = latency.count;
        let view = |percentile: &LatencyPercentile| {
            let LatencyPercentile { quantile, value } = *percentile;
            PercentileView {
                average: value,
                count,
                max: value,
                min: value,
                quantile,
                value: Some(value),
            }
        };
        let percentiles = latency.percentiles.as_ref();
        Self {
            count,
            percentiles: percentiles
                .map(|all| all.iter().take(PERCENTILES_MAX).map(view).collect()),
            topic: String::new(),
            channel: String::new(),
            host: "",
        }
    }

    /// What several nodes say of a topic or one of its channels. Percentiles cannot be merged
    /// exactly: there is their mean, weighted by count, the lowest and the highest. A node that
    /// has counted nothing says nothing of them.
    pub(crate) fn merged<'a>(
        topic: &str,
        channel: &str,
        nodes: impl IntoIterator<Item = &'a Self>,
    ) -> Self {
        let mut count: u64 = 0;
        let mut merged: Vec<PercentileView> = Vec::new();
        for latency in nodes {
            count = count.saturating_add(latency.count);
            for percentile in latency.percentiles.iter().flatten() {
                match merged.iter_mut().find(|known| known.quantile == percentile.quantile) {
                    Some(known) => known.add(percentile),
                    None => merged.push(PercentileView { value: None, ..percentile.clone() }),
                }
            }
        }
        Self {
            count,
            percentiles: Some(merged).filter(|merged| !merged.is_empty()),
            topic: topic.to_owned(),
            channel: channel.to_owned(),
            host: ALL_NODES,
        }
    }
}

impl PercentileView {
    fn add(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = Self { value: None, ..other.clone() };
            return;
        }
        let count = self.count.saturating_add(other.count);
        let (own, others) = (self.count as f64, other.count as f64);
        self.average = (self.average * own + other.average * others) / (own + others);
        self.max = self.max.max(other.max);
        self.min = self.min.min(other.min);
        self.count = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(count: u64, percentiles: &[(f64, f64)]) -> LatencyView {
        let percentiles = percentiles
            .iter()
            .map(|&(quantile, value)| LatencyPercentile { quantile, value })
            .collect();
        LatencyView::of_node(&Latency { count, percentiles: Some(percentiles) })
    }

    fn check(nodes: &[LatencyView], expected: &str) {
        let merged = LatencyView::merged("t", "c", nodes);
        let text = nsq_api::to_json(&merged).expect("numbers and text");
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn one_node_is_told_as_it_is() {
        let text = nsq_api::to_json(&node(3, &[(0.99, 5.0)])).expect("numbers and text");
        let expected = concat!(
            r#"{"count":3,"percentiles":[{"average":5,"count":3,"max":5,"min":5,"#,
            r#""quantile":0.99,"value":5}],"topic":"","channel":"","host":""}"#,
        );
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn nodes_are_merged_by_quantile() {
        let nodes = [
            node(1, &[(0.99, 100.0), (0.5, 10.0)]),
            node(3, &[(0.99, 60.0)]),
            node(0, &[(0.99, 0.0), (0.5, 0.0)]),
        ];
        let expected = concat!(
            r#"{"count":4,"percentiles":[{"average":70,"count":4,"max":100,"min":60,"#,
            r#""quantile":0.99},{"average":10,"count":1,"max":10,"min":10,"quantile":0.5}],"#,
            r#""topic":"t","channel":"c","host":"*"}"#,
        );
        check(&nodes, expected);
        let reversed: Vec<_> = nodes.into_iter().rev().collect();
        check(&reversed, expected);
    }

    #[test]
    fn without_data() {
        let none = LatencyView::of_node(&Latency::default());
        let expected = r#"{"count":0,"percentiles":null,"topic":"t","channel":"c","host":"*"}"#;
        check(&[none.clone(), none], expected);
        check(&[], expected);
        let huge = node(u64::MAX, &[(1.0, 1.0)]);
        check(
            &[huge.clone(), huge],
            concat!(
                r#"{"count":18446744073709551615,"percentiles":[{"average":1,"#,
                r#""count":18446744073709551615,"max":1,"min":1,"quantile":1}],"#,
                r#""topic":"t","channel":"c","host":"*"}"#,
            ),
        );
    }
}
