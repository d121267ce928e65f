//! The endpoints.

mod change;
mod config;
mod counter;
mod graphite;
mod health;
mod history;
mod publish;
mod render;
mod show;
mod tail;

use std::sync::Arc;

pub(crate) use render::route as render;

use nsq_app::http::{Answer, HandlerResult, Request, Route, delete, get, post, put};

use crate::admin::Admin;

/// The table of endpoints, below the base path.
pub(crate) fn routes() -> Vec<Route<Admin>> {
    vec![
        get("/ping", ping).plain(),
        get("/api/topics", show::topics),
        get("/api/topics/:topic", show::topic),
        get("/api/topics/:topic/:channel", tail::channel_or_tail),
        get("/api/nodes", show::nodes),
        get("/api/nodes/:node", show::node),
        get("/api/counter", counter::show),
        get("/api/graphite", graphite::rate),
        get("/api/history", history::show),
        get("/api/health", health::show),
        post("/api/topics", change::create).reads_body().detached(),
        post("/api/topics/:topic", change::topic).reads_body().detached(),
        post("/api/topics/:topic/:channel", publish::channel_or_publish).reads_body().detached(),
        delete("/api/topics/:topic", change::delete_topic).detached(),
        delete("/api/topics/:topic/:channel", change::delete_channel).detached(),
        delete("/api/nodes/:node", change::tombstone).reads_body().detached(),
        get("/config/:option", config::show),
        put("/config/:option", config::change).reads_body().detached(),
    ]
}

async fn ping(_: Arc<Admin>, _: Request) -> HandlerResult {
    Ok(Answer::text("OK"))
}
