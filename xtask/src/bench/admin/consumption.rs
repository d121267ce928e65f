//! What a process has used of the machine.

use std::fs;

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;

/// Memory now and at its peak, and processor time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Consumption {
    memory_kb: u64,
    peak_kb: u64,
    cpu_ticks: u64,
}

impl Consumption {
    /// Of the process of this id, so far.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Self::read(&status, &stat).with_context(|| format!("/proc/{pid} is not as expected"))
    }

    /// Lets the peak begin anew.
    pub(super) fn reset_peak(pid: u32) -> Result<()> {
        let path = format!("/proc/{pid}/clear_refs");
        fs::write(&path, "5").with_context(|| path)
    }

    pub(super) fn memory_mb(&self) -> u64 {
        self.memory_kb / 1024
    }

    pub(super) fn peak_mb(&self) -> u64 {
        self.peak_kb / 1024
    }

    pub(super) fn cpu_s(&self) -> f64 {
        self.cpu_ticks as f64 / clock_ticks_per_second() as f64
    }

    fn read(status: &str, stat: &str) -> Option<Self> {
        let kilobytes = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        // The name of the program comes second, in parentheses, and may hold anything.
        let (_, numbers) = stat.rsplit_once(") ")?;
        let mut times = numbers.split(' ').skip(11).map(str::parse::<u64>);
        let cpu_ticks = times.next()?.ok()? + times.next()?.ok()?;
        Some(Self { memory_kb: kilobytes("VmRSS:")?, peak_kb: kilobytes("VmHWM:")?, cpu_ticks })
    }
}

#[cfg(test)]
mod tests {
    use super::Consumption;

    #[test]
    fn the_files_of_the_system() {
        let status = "Name:\tnsqadmin\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\nThreads:\t4\n";
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 4 0 1 2 3";
        let used = Consumption::read(status, stat).expect("both are whole");
        assert_eq!((used.memory_mb(), used.peak_mb(), used.cpu_ticks), (10, 20, 200));
        assert!(Consumption::read("", stat).is_none());
        assert!(Consumption::read(status, "7 (a) S").is_none());
    }
}
