//! Where topics live: the endpoints that consumers ask.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use nsq_api::{Lookup, LookupChannels, LookupTopics, Producer, to_json};
use nsq_app::http::{Answer, Failure, HandlerResult, Query, Request};

use crate::daemon::Daemon;
use crate::poll::{self, View, Wait};
use crate::registry::{LookupView, Peer};

/// Every registration changes the list of nodes, which may be large: those who wait for it get many
/// changes at once.
const NODES_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn topics(daemon: Arc<Daemon>, _: Request) -> HandlerResult {
    let list =
        |daemon: &Daemon| Answer::json(&LookupTopics { topics: texts(&daemon.registry.topics()) });
    daemon.aside(list).await?
}

pub(super) async fn channels(daemon: Arc<Daemon>, request: Request) -> HandlerResult {
    let topic = topic(&request.query()?)?;
    Answer::json(&LookupChannels { channels: texts(&daemon.registry.channels(&topic)) })
}

pub(super) async fn lookup(daemon: Arc<Daemon>, request: Request) -> HandlerResult {
    let query = request.query()?;
    let (topic, wait) = (topic(&query)?, Wait::of(&query)?);
    let registry = &daemon.registry;
    let changes = registry.changes_of(&topic);
    let version = || registry.version(&topic);
    let view = || ready(Ok(lookup_answer(registry.lookup(&topic, daemon.clock.now_ns()))));
    poll::answer(&daemon, wait, changes, Duration::ZERO, version, view).await
}

pub(super) async fn nodes(daemon: Arc<Daemon>, request: Request) -> HandlerResult {
    let wait = Wait::of(&request.query()?)?;
    let changes = daemon.registry.changes_of_nodes();
    let counted = changes.clone();
    let version = || *counted.borrow();
    let view = || {
        let daemon = Arc::clone(&daemon);
        async move {
            let look = |daemon: &Daemon| daemon.nodes_page.view(&daemon.registry, &daemon.clock);
            daemon.aside(look).await
        }
    };
    poll::answer(&daemon, wait, changes, NODES_PAUSE, version, view).await
}

fn lookup_answer(found: Option<LookupView>) -> View {
    let Some(found) = found else { return View::nothing() };
    let producers = found.producers.iter().map(|peer| producer(peer)).collect();
    let body = to_json(&Lookup { channels: texts(&found.channels), producers });
    View::new(body.expect("text and numbers"), found.changes_at_ns)
}

pub(crate) fn producer(peer: &Peer) -> Producer {
    let identity = &peer.identity;
    Producer {
        remote_address: peer.remote_address.clone(),
        hostname: identity.hostname.clone(),
        broadcast_address: identity.broadcast_address.clone(),
        tcp_port: identity.tcp_port,
        http_port: identity.http_port,
        version: identity.version.clone(),
        topology_zone: identity.topology_zone.clone(),
        topology_region: identity.topology_region.clone(),
    }
}

/// The parameter `topic`. Where one is only looked for, a bad name is one that nobody has.
fn topic(query: &Query<'_>) -> Result<String, Failure> {
    let name = query.first("topic").ok_or(Failure::bad_request("MISSING_ARG_TOPIC"))?;
    Ok(name.into_owned())
}

fn texts(names: &[impl ToString]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}
