//! How long a page takes, and how large it is.

use std::fmt;
use std::time::Duration;

use anyhow::Result;

use super::cluster::Cluster;
use super::consumption::Consumption;
use crate::bench::figure::median;
use crate::daemon::Daemon;
use crate::http::{self, Answer};

/// The first lines of the table.
pub(super) const HEADING: &str = "\
| page | status | first byte: median, max | whole: median, max | size | with gzip | processor time \
| peak memory |
|---|---|---|---|---|---|---|---|";

/// Every page and every route that reads. Names that are asked for lie in the middle.
pub(super) fn targets(cluster: &Cluster) -> Vec<String> {
    let topic = cluster.a_topic();
    let channel = cluster.a_channel();
    let node = cluster.a_node();
    let mut targets = Vec::new();
    for path in [
        "/",
        "/topics",
        &format!("/topics/{topic}"),
        &format!("/topics/{topic}/{channel}"),
        "/nodes",
        &format!("/nodes/{node}"),
        "/counter",
        "/lookup",
        "/api/topics",
        "/api/topics?match=topic-19&limit=50",
        "/api/topics?inactive=true",
        &format!("/api/topics/{topic}"),
        &format!("/api/topics/{topic}/{channel}"),
        "/api/nodes",
        "/api/nodes?topics=false",
        &format!("/api/nodes/{node}"),
        &format!("/api/nodes/{node}?limit=50"),
        "/api/counter",
        &format!("/api/counter?topic={topic}"),
        "/api/history",
        "/api/health",
    ] {
        targets.push(path.to_owned());
    }
    targets
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Page {
    target: String,
    answers: Vec<Answer>,
    gzip_bytes: usize,
    /// Of one request.
    cpu_s: f64,
    peak_mb: u64,
}

impl Page {
    /// Asks so many times, one after the other, and once more with compression.
    pub(super) fn measure(admin: &Daemon, target: &str, requests: usize) -> Result<Self> {
        Consumption::reset_peak(admin.pid())?;
        let before = Consumption::of(admin.pid())?;
        let ask = |headers: &[&str]| http::ask(&admin.http, &format!("GET {target}"), headers, &[]);
        let answers = (0..requests).map(|_| {
            // Only the length of a body is of interest, and some are large.
            ask(&[]).map(|answer| answer.without_body())
        });
        let answers = answers.collect::<Result<Vec<_>>>()?;
        let after = Consumption::of(admin.pid())?;
        let gzip_bytes = ask(&["Accept-Encoding: gzip"])?.body_bytes;
        let cpu_s = (after.cpu_s() - before.cpu_s()) / requests as f64;
        let target = target.to_owned();
        Ok(Self { target, answers, gzip_bytes, cpu_s, peak_mb: after.peak_mb() })
    }

    /// The middle one and the longest.
    fn times(&self, of: impl Fn(&Answer) -> Duration) -> String {
        let times: Vec<_> = self.answers.iter().map(|it| of(it).as_secs_f64() * 1000.0).collect();
        let longest = times.iter().copied().fold(0.0, f64::max);
        format!("{:.1} ms, {longest:.1} ms", median(&times).unwrap_or_default())
    }

    /// One status for all, or all of them.
    fn status(&self) -> String {
        let mut statuses: Vec<_> = self.answers.iter().map(|it| it.status.to_string()).collect();
        statuses.dedup();
        statuses.join(", ")
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first_byte = self.times(|answer| answer.first_byte);
        let whole = self.times(|answer| answer.total);
        let size = self.answers.iter().map(|answer| answer.body_bytes).max().unwrap_or_default();
        write!(
            f,
            "| `{}` | {} | {first_byte} | {whole} | {} | {} | {:.0} ms | {} MB |",
            self.target,
            self.status(),
            kilobytes(size),
            kilobytes(self.gzip_bytes),
            self.cpu_s * 1000.0,
            self.peak_mb
        )
    }
}

fn kilobytes(bytes: usize) -> String {
    format!("{:.1} kB", bytes as f64 / 1000.0)
}
