//! `ProcessUsage`: what the operating system says a process has used.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

/// Length of a clock tick in `/proc/<pid>/stat`; Linux reports 100 per second everywhere.
const TICK: Duration = Duration::from_millis(10);

/// Figures of one process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessUsage {
    /// User and system time of all threads so far.
    pub(crate) cpu: Duration,
    /// Resident memory now.
    pub(crate) rss_bytes: u64,
    /// Highest resident memory so far.
    pub(crate) peak_rss_bytes: u64,
    /// Times a thread gave up the processor to wait, over all threads that still live.
    pub(crate) voluntary_switches: u64,
}

impl ProcessUsage {
    /// Reads the figures of the process with this id.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        Self::read(&PathBuf::from(format!("/proc/{pid}")))
            .with_context(|| format!("read the usage of process {pid}"))
    }

    /// Reads the figures of this very process; `None` where there is no `/proc`.
    pub(crate) fn own() -> Option<Self> {
        Self::read(Path::new("/proc/self")).ok()
    }

    fn read(directory: &Path) -> Result<Self> {
        let stat = fs::read_to_string(directory.join("stat"))?;
        let status = fs::read_to_string(directory.join("status"))?;
        let kilobytes = |key| field(&status, key).unwrap_or(0) * 1024;
        let mut voluntary_switches = 0;
        for task in fs::read_dir(directory.join("task"))? {
            // A thread may end between listing and reading; then it no longer counts.
            let status = fs::read_to_string(task?.path().join("status")).unwrap_or_default();
            voluntary_switches += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        }
        Ok(Self {
            cpu: cpu_time(&stat).context("unexpected format of stat")?,
            rss_bytes: kilobytes("VmRSS:"),
            peak_rss_bytes: kilobytes("VmHWM:"),
            voluntary_switches,
        })
    }
}

/// User plus system time out of `/proc/<pid>/stat`.
fn cpu_time(stat: &str) -> Option<Duration> {
    // The second field is the program's name in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    TICK.checked_mul(user.checked_add(system)?)
}

/// The number behind `key` in a `/proc/<pid>/status`.
fn field(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_program_name() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 9 0 1 2 3";
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu_time("42 (x) S 1"), None);
        assert_eq!(cpu_time(""), None);
    }

    #[test]
    fn status_fields_are_found_by_their_whole_key() {
        let status = "VmHWM:\t  2048 kB\nnonvoluntary_ctxt_switches:\t9\n\
                      voluntary_ctxt_switches:\t7\n";
        assert_eq!(field(status, "VmHWM:"), Some(2048));
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(7));
        assert_eq!(field(status, "VmRSS:"), None);
    }
}
