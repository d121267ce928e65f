//! `/stats` and `/metrics`: renderings of what is gathered.

use std::sync::Arc;
use std::time::SystemTime;

use nsq_app::http::{Answer, Failure, HandlerResult, Request};
use nsq_app::local_time::LocalTime;

use super::Endpoints;
use crate::metrics;
use crate::stats::text::{self, Moment};
use crate::stats::{Selection, gather_aside};

pub(super) async fn stats(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let query = request.query()?;
    let text = |key| query.first(key).map(|value| value.into_owned()).unwrap_or_default();
    let wanted = |key| !matches!(query.first(key).as_deref(), Some("false" | "0"));
    let selection = Selection {
        topic: text("topic"),
        channel: text("channel"),
        clients: wanted("include_clients"),
        memory: wanted("include_mem"),
    };
    let is_json = text("format") == "json";
    let answer = gather_aside(&endpoints.node, selection, move |node, stats| {
        if is_json {
            return Answer::json(&stats);
        }
        let moment = Moment {
            now: SystemTime::now(),
            uptime: node.clock.uptime(),
            local_time: LocalTime::system(),
        };
        Ok(Answer::text(text::render(&stats, &nsq_app::version::line("nsqd"), &moment)))
    });
    answer.await.unwrap_or_else(|| Err(Failure::internal()))
}

pub(super) async fn metrics(endpoints: Arc<Endpoints>, _: Request) -> HandlerResult {
    let page = gather_aside(&endpoints.node, Selection::default(), metrics::render).await;
    let page = page.and_then(Result::ok).ok_or(Failure::internal())?;
    Ok(Answer::of_type(metrics::CONTENT_TYPE, page))
}
