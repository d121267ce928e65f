//! `Snapshot`: counts and processor time at one moment; two of them make a measurement.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::process_usage::ProcessUsage;
use crate::report::Report;

/// Everything that is read at the two ends of a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot {
    pub(crate) at: Instant,
    pub(crate) published: u64,
    pub(crate) delivered: u64,
    pub(crate) server: Option<ProcessUsage>,
    pub(crate) own: Option<ProcessUsage>,
}

impl Snapshot {
    /// Reads the processes; the daemon's only if its process id is known.
    pub(crate) fn take(pid: Option<u32>, published: u64, delivered: u64) -> Result<Self> {
        let server = pid.map(ProcessUsage::of).transpose()?;
        Ok(Self { at: Instant::now(), published, delivered, server, own: ProcessUsage::own() })
    }
}

/// What happened between two snapshots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measurement {
    pub(crate) begin: Snapshot,
    pub(crate) end: Snapshot,
}

impl Measurement {
    /// Length of the measurement.
    pub(crate) fn elapsed(&self) -> Duration {
        self.end.at.saturating_duration_since(self.begin.at)
    }

    /// Messages acknowledged in the time.
    pub(crate) fn published(&self) -> u64 {
        self.end.published.saturating_sub(self.begin.published)
    }

    /// Messages delivered in the time, over all channels.
    pub(crate) fn delivered(&self) -> u64 {
        self.end.delivered.saturating_sub(self.begin.delivered)
    }

    /// Adds what processes used, relative to the `messages` that were handled.
    pub(crate) fn report_usage(&self, report: &mut Report, messages: u64) {
        if let (Some(begin), Some(end)) = (self.begin.server, self.end.server) {
            let cpu = end.cpu.saturating_sub(begin.cpu);
            report.real("server_cpu_s", cpu.as_secs_f64());
            report.real("server_cpu_cores", self.cores(cpu));
            report.real("server_cpu_us_per_message", micros_per(cpu, messages));
            report.count("server_rss_bytes", end.rss_bytes);
            report.count("server_peak_rss_bytes", end.peak_rss_bytes);
            let switches = end.voluntary_switches.saturating_sub(begin.voluntary_switches);
            report.count("server_voluntary_switches", switches);
        }
        if let (Some(begin), Some(end)) = (self.begin.own, self.end.own) {
            let cpu = end.cpu.saturating_sub(begin.cpu);
            report.real("load_cpu_cores", self.cores(cpu));
            report.real("load_cpu_us_per_message", micros_per(cpu, messages));
        }
    }

    /// Events per second of the measurement.
    pub(crate) fn rate(&self, events: u64) -> f64 {
        per(events as f64, self.elapsed().as_secs_f64())
    }

    fn cores(&self, cpu: Duration) -> f64 {
        per(cpu.as_secs_f64(), self.elapsed().as_secs_f64())
    }
}

fn micros_per(cpu: Duration, messages: u64) -> f64 {
    per(cpu.as_secs_f64() * 1e6, messages as f64)
}

/// A quotient that is 0 instead of infinite when nothing happened.
pub(crate) fn per(amount: f64, parts: f64) -> f64 {
    if parts > 0.0 { amount / parts } else { 0.0 }
}
