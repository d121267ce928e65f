//! The HTTP endpoints.

mod administer;
mod debug;
mod discover;

use std::sync::Arc;

use nsq_app::http::{Answer, Failure, HandlerResult, Request, Route, get, post};

use crate::daemon::{Daemon, VERSION};
use crate::metrics;

pub(crate) use discover::producer;

/// The table of endpoints.
pub(crate) fn routes() -> Vec<Route<Daemon>> {
    let mut routes = vec![
        get("/ping", ok).plain().open(),
        // It is ready when it listens: an nsqlookupd without nsqd nodes is right to say so.
        get("/live", ok).plain().open(),
        get("/ready", ok).plain().open(),
        get("/info", info),
        get("/metrics", show_metrics).plain(),
        get("/topics", discover::topics),
        get("/channels", discover::channels),
        get("/lookup", discover::lookup),
        get("/nodes", discover::nodes),
        post("/topic/create", administer::create_topic),
        post("/topic/delete", administer::delete_topic),
        post("/topic/tombstone", administer::tombstone),
        post("/channel/create", administer::create_channel),
        post("/channel/delete", administer::delete_channel),
    ];
    routes.extend(debug::routes());
    routes
}

async fn ok(_: Arc<Daemon>, _: Request) -> HandlerResult {
    Ok(Answer::text("OK"))
}

async fn info(_: Arc<Daemon>, _: Request) -> HandlerResult {
    Answer::json(&nsq_api::LookupInfo { version: VERSION.to_owned() })
}

async fn show_metrics(daemon: Arc<Daemon>, _: Request) -> HandlerResult {
    let page = daemon.aside(metrics::render).await?.map_err(|_| Failure::internal())?;
    Ok(Answer::of_type(metrics::CONTENT_TYPE, page))
}
