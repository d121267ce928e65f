//! What graphite draws, for browsers that cannot reach it: `--proxy-graphite`.

use std::sync::Arc;

use nsq_api::HttpAnswer;
use nsq_app::http::{
    Answer, Failure, HandlerResult, HeaderMap, HeaderValue, Request, Route, StatusCode, get,
};

use crate::admin::Admin;
use crate::graphs::NoAnswer;

/// Where a request came from, proxy by proxy.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// A picture can be a document with scripts, which graphite's SVG is.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// The route, for those who want it.
pub(crate) fn route() -> Route<Admin> {
    get("/render", show).plain()
}

async fn show(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let graphs = admin.graphs.as_ref().ok_or(Failure::not_found("NOT_FOUND"))?;
    let query = request.raw_query().unwrap_or_default();
    let answer = graphs.answer(&admin.client, query, forwarded(&request)).await;
    let answer = answer.map_err(|reason| match reason {
        NoAnswer::Busy => Failure::new(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_GRAPHS"),
        NoAnswer::Malformed => Failure::bad_request("INVALID_REQUEST"),
        NoAnswer::Failed(error) => failed(&admin, &error.to_string()),
    })?;
    handed_on(answer).map_err(|reason| failed(&admin, &reason))
}

/// The only thing that graphite hears of who asks. Nothing else goes on: neither cookies nor the
/// name of the user are for graphite.
fn forwarded(request: &Request) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let before = request.headers().get_all(FORWARDED_FOR).iter();
    let before = before.filter_map(|value| value.to_str().ok()).map(str::to_owned);
    let peer = request.peer().ip().map(|ip| ip.to_string());
    let way = before.chain(peer).collect::<Vec<_>>().join(", ");
    if !way.is_empty()
        && let Ok(way) = HeaderValue::try_from(way)
    {
        headers.insert(FORWARDED_FOR, way);
    }
    headers
}

/// Status, content type and body; nothing else, and only of what no page can be made.
fn handed_on(answer: HttpAnswer) -> Result<Answer, String> {
    let HttpAnswer { status, headers, body } = answer;
    if !(status.is_success() || status.is_client_error() || status.is_server_error()) {
        return Err(format!("got response {status}"));
    }
    let content_type = headers.get("content-type");
    let content_type = content_type.ok_or_else(|| format!("got response {status} of no type"))?;
    if !is_harmless(content_type) {
        return Err(format!("got response {status} of type {content_type:?}"));
    }
    let fixed = |text| HeaderValue::from_static(text);
    Ok(Answer::passed_on(content_type.clone(), body)
        .with_status(status)
        .with_header("cache-control", fixed("no-store"))
        .with_header("content-security-policy", fixed(POLICY))
        .with_header("x-content-type-options", fixed("nosniff")))
}

/// Pictures and data.
fn is_harmless(content_type: &HeaderValue) -> bool {
    let Ok(text) = content_type.to_str() else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // What browsers would read as a list could end with another type.
    !text.contains(',')
        && (essence.starts_with("image/")
            || matches!(&*essence, "application/json" | "text/plain" | "text/csv"))
}

fn failed(admin: &Admin, reason: &str) -> Failure {
    admin.log.error(format_args!("graphite request failed - {reason}"));
    Failure::new(StatusCode::BAD_GATEWAY, format!("UPSTREAM_ERROR: graphite - {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for (text, expected) in [
            ("image/png", true),
            ("IMAGE/SVG+XML; charset=utf-8", true),
            ("application/json", true),
            ("text/plain;x", true),
            ("text/csv", true),
            ("text/html", false),
            ("text/javascript", false),
            ("application/xhtml+xml", false),
            ("image/png, text/html", false),
            ("text/plain; a=\"b\", text/html", false),
            ("", false),
        ] {
            assert_eq!(is_harmless(&HeaderValue::from_static(text)), expected, "{text}");
        }
    }
}
