//! `/debug`: the whole registry; `/debug/pprof`: what is not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use nsq_api::DebugProducer;
use nsq_app::http::{Answer, Failure, HandlerResult, Request, Route, StatusCode, get, post};

use crate::daemon::Daemon;
use crate::registry::{DebugEntry, Peer};

const NO_PROFILES: &str = "nsqlookupd in Rust takes no profiles of itself: there are no \
    goroutines, and no runtime that samples. Use `perf record -p <pid>`.\n";

/// Go's zero time in nanoseconds since 1970, as it overflows there.
const NEVER_NS: i64 = -6_795_364_578_871_345_152;

/// The routes of this file.
pub(super) fn routes() -> Vec<Route<Daemon>> {
    let mut routes = vec![
        get("/debug", registry),
        post("/debug/pprof/symbol", |_, _| absent()).plain().unlogged(),
    ];
    let profiles = [
        "/debug/pprof",
        "/debug/pprof/cmdline",
        "/debug/pprof/symbol",
        "/debug/pprof/profile",
        "/debug/pprof/heap",
        "/debug/pprof/goroutine",
        "/debug/pprof/block",
        "/debug/pprof/threadcreate",
    ];
    routes.extend(profiles.map(|path| get(path, |_, _| absent()).plain().unlogged()));
    routes
}

async fn registry(daemon: Arc<Daemon>, _: Request) -> HandlerResult {
    daemon.aside(list).await?
}

fn list(daemon: &Daemon) -> HandlerResult {
    let mut registry = BTreeMap::<String, Vec<DebugProducer>>::new();
    for peer in daemon.registry.peers() {
        registry.entry("client::".to_owned()).or_default().push(producer(&peer, None));
    }
    for DebugEntry { registration, peer, tombstoned_at_ns } in daemon.registry.debug() {
        let key = match &registration.channel {
            None => format!("topic:{}:", registration.topic),
            Some(channel) => format!("channel:{}:{channel}", registration.topic),
        };
        registry.entry(key).or_default().push(producer(&peer, tombstoned_at_ns));
    }
    Answer::json(&registry)
}

fn producer(peer: &Peer, tombstoned_at_ns: Option<i64>) -> DebugProducer {
    let identity = &peer.identity;
    DebugProducer {
        broadcast_address: identity.broadcast_address.clone(),
        hostname: identity.hostname.clone(),
        http_port: identity.http_port,
        id: peer.remote_address.clone(),
        last_update: peer.last_update_ns(),
        tcp_port: identity.tcp_port,
        tombstoned: tombstoned_at_ns.is_some(),
        tombstoned_at: tombstoned_at_ns.unwrap_or(NEVER_NS),
        topology_region: identity.topology_region.clone(),
        topology_zone: identity.topology_zone.clone(),
        version: identity.version.clone(),
    }
}

/// Something of Go's runtime that has no counterpart: said rather than pretended.
async fn absent() -> HandlerResult {
    Err(Failure::new(StatusCode::NOT_FOUND, NO_PROFILES))
}
