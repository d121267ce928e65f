//! What there is, and how it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use nsq_api::cluster::{Cluster, Node};
use nsq_app::http::{Answer, Failure, HandlerResult, Request, StatusCode};
use serde::Serialize;

use crate::admin::Admin;
use crate::ask;
use crate::upstream::{Warnings, failed};
use crate::view::{NodeView, Selection, TopicView};

/// An answer that has its warnings behind its fields.
#[derive(Serialize)]
struct WithMessage<T> {
    #[serde(flatten)]
    data: T,
    message: String,
}

#[derive(Serialize)]
struct TopicsView {
    topics: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    message: String,
}

/// Topics with their channels.
#[derive(Serialize)]
struct InactiveView {
    topics: BTreeMap<String, Option<Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    message: String,
}

#[derive(Serialize)]
struct NodesView {
    nodes: Option<Vec<NodeView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    message: String,
}

#[derive(Serialize)]
struct OneNodeView {
    node: String,
    topics: Option<Vec<TopicView>>,
    total_messages: u64,
    total_clients: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    message: String,
}

pub(super) async fn topics(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let query = request
        .query()
        .map_err(|error| Failure::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let (cluster, selection) = (admin.cluster(), Selection::of(&query)?);
    if query.first("inactive").as_deref() == Some("true") {
        return inactive_topics(&cluster, &selection).await;
    }
    let mut warnings = Warnings::default();
    let names = warnings.take(cluster.topics().await).map_err(failed)?;
    let page = selection.apply(names, |name| name);
    let topics = Some(page.items).filter(|topics| !topics.is_empty());
    Answer::json(&TopicsView { topics, total: page.said_total, message: warnings.message() })
}

/// Those that nsqlookupd knows and that no nsqd is shown for. Channels are asked for only of those
/// that are selected.
async fn inactive_topics(cluster: &Cluster, selection: &Selection) -> HandlerResult {
    let mut warnings = Warnings::default();
    let inactive = ask::inactive_topics(cluster, &mut warnings).await?;
    let page = selection.apply(inactive, |name| name);
    let topics = ask::channels_of(cluster, page.items, &mut warnings).await?;
    let list = |channels: Vec<String>| Some(channels).filter(|channels| !channels.is_empty());
    let topics = topics.into_iter().map(|(topic, channels)| (topic, list(channels))).collect();
    Answer::json(&InactiveView { topics, total: page.said_total, message: warnings.message() })
}

pub(super) async fn topic(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let name = request.parameter().unwrap_or_default();
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let data = ask::topic(&cluster, name, &mut warnings).await?;
    Answer::json(&WithMessage { data, message: warnings.message() })
}

pub(super) async fn channel(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let names = request.two_parameters().unwrap_or_default();
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let data = ask::channel(&cluster, names, &mut warnings).await?;
    Answer::json(&WithMessage { data, message: warnings.message() })
}

pub(super) async fn nodes(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let query = request.query()?;
    let (selection, mut warnings) = (Selection::of(&query)?, Warnings::default());
    let nodes = warnings.take(admin.cluster().nodes().await).map_err(failed)?;
    // Found by either; a line break is in neither.
    let named = |node: Node| (format!("{}\n{}", node.hostname, node.http_address()), node);
    let page = selection.apply(nodes.into_iter().map(named), |(name, _)| name);
    let mut nodes: Vec<_> = page.items.into_iter().map(|(_, node)| NodeView::from(node)).collect();
    if query.first("topics").as_deref() == Some("false") {
        nodes = nodes.into_iter().map(NodeView::without_topics).collect();
    }
    let nodes = Some(nodes).filter(|nodes| !nodes.is_empty());
    Answer::json(&NodesView { nodes, total: page.said_total, message: warnings.message() })
}

/// The sums are those of all its topics, whichever are selected.
pub(super) async fn node(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let name = request.parameter().unwrap_or_default();
    let selection = Selection::of(&request.query()?)?;
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let (_, topics) = ask::node(&cluster, name, &mut warnings).await?;
    let channels = topics.iter().flat_map(|topic| topic.channels.iter().flatten());
    let clients = channels.map(|channel| channel.clients.as_ref().map_or(0, Vec::len));
    let total_clients = clients.sum::<usize>();
    let counts = topics.iter().map(|topic| topic.message_count);
    let total_messages = counts.fold(0, u64::saturating_add);
    let page = selection.apply(topics, |topic| &topic.topic_name);
    Answer::json(&OneNodeView {
        node: name.to_owned(),
        total_messages,
        total_clients: i64::try_from(total_clients).unwrap_or(i64::MAX),
        topics: Some(page.items).filter(|topics| !topics.is_empty()),
        total: page.said_total,
        message: warnings.message(),
    })
}
