//! What nsqadmin itself has seen over time.

use std::sync::Arc;

use nsq_app::http::{Answer, Failure, HandlerResult, Request};
use serde::Serialize;

use crate::admin::Admin;
use crate::chart::{Chart, Subject};

/// When nobody looks at the cluster.
pub(super) const SWITCHED_OFF: &str = "HISTORY_DISABLED";

/// Lists of the same length; `null` where nothing is known.
#[derive(Serialize)]
struct HistoryView {
    times: Vec<i64>,
    rate: Vec<Option<f32>>,
    depth: Vec<Option<f32>>,
    in_flight: Vec<Option<f32>>,
    deferred: Vec<Option<f32>>,
    requeues: Vec<Option<f32>>,
    timeouts: Vec<Option<f32>>,
    message: &'static str,
}

pub(super) async fn show(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let query = request.query()?;
    let given = |name| query.first(name).filter(|value| !value.is_empty());
    let (subject, not_found) = match (given("topic"), given("channel"), given("node")) {
        (None, None, None) => (Subject::Cluster, SWITCHED_OFF),
        (None, None, Some(node)) => (Subject::Node(node.into()), "NODE_NOT_FOUND"),
        (Some(topic), None, None) => (Subject::Topic(topic.into()), "TOPIC_NOT_FOUND"),
        (Some(topic), Some(channel), None) => {
            (Subject::Channel(topic.into(), channel.into()), "CHANNEL_NOT_FOUND")
        }
        (None, Some(_), _) => return Err(Failure::bad_request("INVALID_ARG_TOPIC")),
        (Some(_), _, Some(_)) => return Err(Failure::bad_request("INVALID_ARG_NODE")),
    };
    if !admin.watch.is_on() {
        return Err(Failure::not_found(SWITCHED_OFF));
    }
    let chart = admin.watch.chart(&subject).ok_or(Failure::not_found(not_found))?;
    Answer::json(&HistoryView::from(chart))
}

impl From<Chart> for HistoryView {
    fn from(chart: Chart) -> Self {
        let Chart { times_s, rate, depth, in_flight, deferred, requeues, timeouts } = chart;
        Self { times: times_s, rate, depth, in_flight, deferred, requeues, timeouts, message: "" }
    }
}
