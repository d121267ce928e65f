//! What is wrong with the cluster, for scripts that raise alarms.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nsq_app::http::{Answer, Failure, HandlerResult, Request, StatusCode};
use serde::Serialize;

use super::history::SWITCHED_OFF;
use crate::admin::Admin;
use crate::health::{Finding, Severity, Trouble};

/// How long a request waits for the first look after the start.
const FIRST_LOOK_WAIT: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct HealthView<'a> {
    findings: Vec<FindingView<'a>>,
    /// How many more there are.
    other_findings: usize,
    nodes: usize,
    topics: usize,
    /// Seconds since 1970.
    as_of: u64,
    message: String,
}

#[derive(Serialize)]
struct FindingView<'a> {
    severity: Severity,
    #[serde(flatten)]
    what: &'a Trouble,
    /// Seconds since 1970; `null` if it was so at the first look.
    since: Option<u64>,
}

pub(super) async fn show(admin: Arc<Admin>, _: Request) -> HandlerResult {
    if !admin.watch.is_on() {
        return Err(Failure::not_found(SWITCHED_OFF));
    }
    let not_yet = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, "NOT_YET_KNOWN");
    let mut looks = admin.watch.looks();
    let first = tokio::time::timeout(FIRST_LOOK_WAIT, looks.wait_for(|looks| *looks > 0)).await;
    let looked = matches!(first, Ok(Ok(_)));
    let overview = admin.watch.overview().filter(|_| looked).ok_or_else(not_yet)?;
    let message = match overview.failures.is_empty() {
        true => String::new(),
        false => format!("WARNING: {}", overview.failures.join("\n")),
    };
    Answer::json(&HealthView {
        findings: overview.findings.iter().map(FindingView::from).collect(),
        other_findings: overview.other_findings,
        nodes: overview.nodes.len(),
        topics: overview.topics.len(),
        as_of: unix_seconds(overview.taken),
        message,
    })
}

impl<'a> From<&'a Finding> for FindingView<'a> {
    fn from(finding: &'a Finding) -> Self {
        let since = finding.since.map(unix_seconds);
        Self { severity: finding.severity, what: &finding.what, since }
    }
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
