//! A topic's messages as server-sent events.

use std::collections::BTreeMap;
use std::sync::Arc;

use nsq_api::cluster::{Cluster, StatsQuery};
use nsq_app::http::{Answer, Failure, HandlerResult, HeaderMap, HeaderValue, Request, StatusCode};
use nsq_proto::TopicName;

use super::show;
use crate::access::admit;
use crate::admin::Admin;
use crate::ask::topic_nodes;
use crate::request_names as names;
use crate::tail::{Plan, Standing, Tail};
use crate::upstream::{Warnings, failed};

const EVENTS: &str = "text/event-stream";
/// How many events wait for a reader who is slow.
const EVENTS_WAITING_MAX: usize = 8;

/// `GET /api/topics/:topic/tail`. What Go NSQ has there, a channel that is called `tail`, is shown
/// to who does not ask for events.
pub(super) async fn channel_or_tail(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let topic = match request.two_parameters() {
        Some((topic, "tail")) if asks_for_events(request.headers()) => names::topic(topic),
        _ => return show::channel(admin, request).await,
    };
    admit(&admin.options, request.headers())?;
    let topic = topic?;
    let full = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_TAILS");
    let place = admin.tails.enter().ok_or_else(full)?;
    let cluster = admin.cluster();
    let plan = plan(&cluster, topic).await?;
    let tail = Tail::connect(&admin.options, cluster, plan, place).await.map_err(failed)?;
    let (answer, client) = Answer::stream(EVENTS, EVENTS_WAITING_MAX);
    tokio::spawn(tail.run(client));
    let answer = answer.with_header("cache-control", HeaderValue::from_static("no-store"));
    // nginx holds answers back otherwise.
    Ok(answer.with_header("x-accel-buffering", HeaderValue::from_static("no")))
}

fn asks_for_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all("accept").into_iter().filter_map(|value| value.to_str().ok());
    accepted.into_iter().any(|accepted| accepted.to_ascii_lowercase().contains(EVENTS))
}

/// The nodes on which a tail takes nothing from anybody.
///
/// # Errors
///
/// `404 TOPIC_NOT_FOUND`; `409 NO_CHANNEL` if there is no such node; `502` if nobody answered.
async fn plan(cluster: &Cluster, topic: TopicName) -> Result<Plan, Failure> {
    let (name, mut warnings) = (topic.to_string(), Warnings::default());
    let nodes = topic_nodes(cluster, &name, &mut warnings).await?;
    let mut stats = Vec::new();
    if !nodes.is_empty() {
        let query = StatsQuery { topic: Some(name.clone()), ..StatsQuery::default() };
        stats = warnings.take(cluster.stats(&nodes, &query).await).map_err(failed)?;
    }
    let (mut nodes, mut notices, mut is_known) = (Vec::new(), Vec::new(), false);
    for stats in stats {
        let (node, standing) = (stats.node, Standing::of(stats.topics.first()));
        let address = node.http_address();
        match standing {
            Standing::Absent => continue,
            Standing::WithoutChannel => notices.push(format!(
                "{address} is left out: no channel of the topic stays there, and a tail would take \
                 what waits for the first one"
            )),
            Standing::Paused => notices.push(format!("the topic is paused on {address}")),
            Standing::Open => {}
        }
        is_known = true;
        if standing.can_be_tailed() {
            nodes.push(node);
        }
    }
    if !is_known {
        return Err(warnings.not_found("TOPIC_NOT_FOUND"));
    }
    if nodes.is_empty() {
        let text = "NO_CHANNEL: the topic has no channel that stays: its messages wait for the \
                    first one, and a tail would take them";
        return Err(Failure::new(StatusCode::CONFLICT, text));
    }
    let said = warnings.message();
    notices.extend(Some(said).filter(|said| !said.is_empty()));
    // A node that does not tell is taken for one that demands no TLS.
    let demands = cluster.option::<i64>(&nodes, "tls_required").await.data;
    let demands: BTreeMap<_, _> = demands.into_iter().collect();
    let demands_tls = |address: &str| demands.get(address).is_some_and(|level| *level != 0);
    let nodes = nodes.into_iter().map(|node| (demands_tls(&node.address), node));
    let nodes = nodes.map(|(demands_tls, node)| (node, demands_tls)).collect();
    Ok(Plan { topic, nodes, notices })
}
