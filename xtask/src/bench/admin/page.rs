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

/// Every page and every route that reads. `T`, `C` and `N` stand for a topic, a channel and a node
/// from the middle.
const PATHS: [&str; 21] = [
    "/",
    "/topics",
    "/topics/T",
    "/topics/T/C",
    "/nodes",
    "/nodes/N",
    "/counter",
    "/lookup",
    "/api/topics",
    "/api/topics?match=topic-19&limit=50",
    "/api/topics?inactive=true",
    "/api/topics/T",
    "/api/topics/T/C",
    "/api/nodes",
    "/api/nodes?topics=false",
    "/api/nodes/N",
    "/api/nodes/N?limit=50",
    "/api/counter",
    "/api/counter?topic=T",
    "/api/history",
    "/api/health",
];

/// What is asked for.
#[derive(Debug)]
pub(super) struct Target {
    /// With the letters.
    pub(super) path: &'static str,
    /// With names.
    named: String,
}

impl Target {
    /// All of them, with names of this cluster.
    pub(super) fn all(cluster: &Cluster) -> impl Iterator<Item = Self> {
        PATHS.into_iter().map(|path| {
            let names = [("T", cluster.a_topic()), ("C", cluster.a_channel())];
            let names = names.into_iter().chain([("N", cluster.a_node())]);
            let named = names.fold(path.to_owned(), |named, (letter, name)| {
                let (behind_slash, behind_sign) = (format!("/{letter}"), format!("={letter}"));
                let named = named.replace(&behind_slash, &format!("/{name}"));
                named.replace(&behind_sign, &format!("={name}"))
            });
            Self { path, named }
        })
    }
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Page {
    path: &'static str,
    answers: Vec<Answer>,
    gzip_bytes: usize,
    /// Of one request.
    cpu_s: f64,
    peak_mb: u64,
}

impl Page {
    /// Asks so many times, one after the other, and once more with compression.
    pub(super) fn measure(admin: &Daemon, target: &Target, requests: usize) -> Result<Self> {
        Consumption::reset_peak(admin.pid())?;
        let before = Consumption::of(admin.pid())?;
        let request = format!("GET {}", target.named);
        let ask = |headers: &[&str]| http::ask(&admin.http, &request, headers, &[]);
        let answers = (0..requests).map(|_| {
            // Only the length of a body is of interest, and some are large.
            ask(&[]).map(|answer| answer.without_body())
        });
        let answers = answers.collect::<Result<Vec<_>>>()?;
        let after = Consumption::of(admin.pid())?;
        let gzip_bytes = ask(&["Accept-Encoding: gzip"])?.body_bytes;
        let cpu_s = (after.cpu_s() - before.cpu_s()) / requests as f64;
        Ok(Self { path: target.path, answers, gzip_bytes, cpu_s, peak_mb: after.peak_mb() })
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
            self.path,
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
