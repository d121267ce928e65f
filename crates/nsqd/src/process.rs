//! What the system knows of this process.

/// Memory of this process, in bytes; 0 where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessMemory {
    /// All of it that is in memory, code and mapped files included.
    pub(crate) resident_bytes: u64,
    /// Its own part: heap and stacks.
    pub(crate) anonymous_bytes: u64,
}

/// The memory it uses now.
pub(crate) fn memory() -> ProcessMemory {
    parse(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
}

fn parse(status: &str) -> ProcessMemory {
    let bytes = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kibibytes.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0).saturating_mul(1024)
    };
    ProcessMemory { resident_bytes: bytes("VmRSS:"), anonymous_bytes: bytes("RssAnon:") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_of_linux() {
        let status = "Name:\tnsqd\nVmRSS:\t   15360 kB\nRssAnon:\t    4200 kB\nRssFile:\t 1 kB\n";
        let expected =
            ProcessMemory { resident_bytes: 15_360 * 1024, anonymous_bytes: 4_200 * 1024 };
        assert_eq!(parse(status), expected);
        for unknown in ["", "VmRSS: many kB", "VmRSS:\t1 MB"] {
            assert_eq!(parse(unknown), ProcessMemory::default());
        }
        assert!(memory().resident_bytes >= memory().anonymous_bytes);
    }
}
