//! Who may have how many of the files that the process may open.

/// Files of the runtime, the listeners, the journals while they are written, and the rest.
const OTHERS: u64 = 64;
/// More segment files than this are not kept open.
const SEGMENTS_MAX: u64 = 4096;
/// More HTTP connections than this are not wanted at once.
const HTTP_MAX: u64 = 65_536;
/// The fewest of each kind, even where that is more than there are.
const LEAST: u64 = 16;

/// The shares of the limit on open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handles {
    /// Segment files of the logs.
    pub(crate) segments: usize,
    /// HTTP connections.
    pub(crate) http: usize,
    /// TCP clients.
    pub(crate) clients: usize,
}

impl Handles {
    /// Divides `limit` open files. `max_connections` is the flag: 0 gives the clients all that
    /// nobody else may have.
    pub(crate) fn share(limit: u64, max_connections: u64) -> Self {
        let limit = limit.min(u64::from(u32::MAX));
        let segments = (limit / 4).clamp(LEAST, SEGMENTS_MAX);
        let http = (limit / 8).clamp(LEAST, HTTP_MAX);
        let rest = limit.saturating_sub(segments + http + OTHERS).max(LEAST);
        let clients = match max_connections {
            0 => rest,
            wanted => wanted.min(u64::from(u32::MAX)),
        };
        Self { segments: segments as usize, http: http as usize, clients: clients as usize }
    }

    /// What the operator should know if the clients may be more than the system has files for.
    pub(crate) fn warning(limit: u64, max_connections: u64) -> Option<String> {
        let most = Self::share(limit, 0).clients as u64;
        (max_connections > most).then(|| {
            format!(
                "--max-connections={max_connections} is more than the limit of {limit} open files \
                 leaves room for, which is {most}: raise the limit (ulimit -n)"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_together_stays_within_the_limit() {
        for (limit, expected) in [
            (1024, Handles { segments: 256, http: 128, clients: 576 }),
            (65_536, Handles { segments: 4096, http: 8192, clients: 53_184 }),
            (1_048_576, Handles { segments: 4096, http: 65_536, clients: 978_880 }),
        ] {
            let handles = Handles::share(limit, 0);
            assert_eq!(handles, expected);
            let all = (handles.segments + handles.http + handles.clients) as u64;
            assert_eq!(all + OTHERS, limit);
        }
        assert_eq!(Handles::share(10, 0), Handles { segments: 16, http: 16, clients: 16 });
    }

    #[test]
    fn the_flag_decides_and_too_much_is_told() {
        assert_eq!(Handles::share(1024, 7).clients, 7);
        assert_eq!(Handles::warning(1024, 576), None);
        assert!(Handles::warning(1024, 577).is_some_and(|text| text.contains("which is 576")));
    }
}
