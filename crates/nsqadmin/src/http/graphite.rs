//! A rate, by graphite.

use std::sync::Arc;

use nsq_app::http::{Answer, Failure, HandlerResult, Request};
use serde::Serialize;

use crate::admin::Admin;
use crate::graphite::{self, Graphite};

#[derive(Serialize)]
struct Rate {
    rate: String,
}

pub(super) async fn rate(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let query = request.query()?;
    if query.first("metric").as_deref() != Some("rate") {
        return Err(Failure::bad_request("INVALID_ARG_METRIC"));
    }
    let target = query.first("target").ok_or(Failure::bad_request("INVALID_ARG_TARGET"))?;
    let failed = |reason: String| {
        admin.log.error(format_args!("graphite request failed - {reason}"));
        Failure::internal()
    };
    let graphite = Graphite::parse(&admin.options.graphite_url).map_err(failed)?;
    // A shorter interval than a second cannot be asked for.
    let interval_s = admin.options.statsd_interval.as_secs().max(1);
    let point = graphite.first_point(&admin.client, &target, interval_s).await;
    let point = point.map_err(|error| failed(error.to_string()))?;
    let point = point.ok_or_else(|| failed("there is no point".to_owned()))?;
    Answer::json(&Rate { rate: graphite::rate(point, interval_s) })
}
