//! `/debug/*`: what there is to see of the process.

use std::fmt::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use nsq_app::http::{Answer, Failure, HandlerResult, Request, Route, StatusCode, get, post, put};

use super::Endpoints;
use crate::lookup::LookupPeer;
use crate::node::Node;
use crate::process;

const NO_PROFILES: &str = "nsqd in Rust takes no profiles of itself: there are no goroutines, and \
    no runtime that samples. Use `perf record -p <pid>`, or /debug/pprof/heap for memory.\n";
const NO_SYMBOLS: &str = "nsqd in Rust looks up no symbols: it takes no profiles.\n";
const NO_COLLECTOR: &str = "there is no garbage collector whose memory could be freed; see \
    /debug/pprof/heap for what is in use.\n";
const NO_BLOCK_RATE: &str = "there is no block profile whose rate could be set.\n";

const INDEX: &str = "/debug/pprof/cmdline  the command line, separated by NUL\n\
    /debug/pprof/heap     memory in use, and by what\n\
    /debug/lookup         how each nsqlookupd stands\n\
    Profiles of Go's runtime are not there.\n";

/// The routes of this file, in bare text.
pub(super) fn routes() -> Vec<Route<Endpoints>> {
    vec![
        get("/debug/pprof/", index).plain(),
        get("/debug/pprof/cmdline", command_line).plain(),
        get("/debug/pprof/heap", heap).plain(),
        get("/debug/lookup", lookup).plain(),
        get("/debug/pprof/symbol", |_, _| absent(NO_SYMBOLS)).plain(),
        post("/debug/pprof/symbol", |_, _| absent(NO_SYMBOLS)).plain(),
        get("/debug/pprof/profile", |_, _| absent(NO_PROFILES)).plain(),
        get("/debug/pprof/goroutine", |_, _| absent(NO_PROFILES)).plain(),
        get("/debug/pprof/block", |_, _| absent(NO_PROFILES)).plain(),
        get("/debug/pprof/threadcreate", |_, _| absent(NO_PROFILES)).plain(),
        post("/debug/freememory", |_, _| absent(NO_COLLECTOR)).plain(),
        put("/debug/setblockrate", |_, _| absent(NO_BLOCK_RATE)).plain(),
    ]
}

async fn index(_: Arc<Endpoints>, _: Request) -> HandlerResult {
    Ok(Answer::text(INDEX))
}

async fn command_line(_: Arc<Endpoints>, _: Request) -> HandlerResult {
    let arguments: Vec<_> = std::env::args_os().collect();
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.as_bytes()).collect();
    Ok(Answer::text(arguments.join(&0)))
}

async fn heap(endpoints: Arc<Endpoints>, _: Request) -> HandlerResult {
    let mut text = String::new();
    write_memory(&mut text, &endpoints.node).map_err(|_| Failure::internal())?;
    Ok(Answer::text(text))
}

fn write_memory(out: &mut String, node: &Node) -> fmt::Result {
    let memory = process::memory();
    let recent = node.store.memory();
    let topics = node.topics();
    let channels: usize = topics.iter().map(|topic| topic.channels.read().len()).sum();
    writeln!(out, "resident_bytes {}", memory.resident_bytes)?;
    writeln!(out, "anonymous_bytes {}", memory.anonymous_bytes)?;
    writeln!(out, "recent_messages_bytes {}", recent.used())?;
    writeln!(out, "recent_messages_limit_bytes {}", recent.limit())?;
    writeln!(out, "topics {}", topics.len())?;
    writeln!(out, "channels {channels}")?;
    writeln!(out, "clients {}", node.clients.lock().len())
}

async fn lookup(endpoints: Arc<Endpoints>, _: Request) -> HandlerResult {
    let mut text = String::new();
    for peer in endpoints.node.lookup.report() {
        write_lookup_peer(&mut text, &peer).map_err(|_| Failure::internal())?;
    }
    Ok(Answer::text(text))
}

fn write_lookup_peer(out: &mut String, peer: &LookupPeer) -> fmt::Result {
    writeln!(out, "{}", peer.address)?;
    writeln!(out, "  connected {}", if peer.is_connected { "yes" } else { "no" })?;
    writeln!(out, "  failures {}", peer.failures)?;
    if let Some(seconds) = peer.answered_at {
        writeln!(out, "  last_answer_time_seconds {seconds}")?;
    }
    if let Some(error) = &peer.last_error {
        writeln!(out, "  last_error {error}")?;
    }
    Ok(())
}

/// Something of Go's runtime that has no counterpart: said rather than pretended.
async fn absent(why: &'static str) -> HandlerResult {
    Err(Failure::new(StatusCode::NOT_FOUND, why))
}
