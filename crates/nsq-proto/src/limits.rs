//! Bounds on what a command may ask for.

/// Bounds on what a command may ask for, from the flags of the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest message body in bytes (`--max-msg-size`).
    pub max_msg_size: u64,
    /// Longest IDENTIFY, AUTH or MPUB body in bytes (`--max-body-size`). For MPUB it bounds both
    /// the declared size and the real one.
    pub max_body_size: u64,
    /// Largest ready count (`--max-rdy-count`).
    pub max_rdy_count: u32,
    /// Longest delay of DPUB in milliseconds (`--max-req-timeout`). REQ delays are clamped to it
    /// by the caller instead.
    pub max_req_timeout_ms: u64,
}

impl Default for Limits {
    /// The defaults of nsqd's flags.
    fn default() -> Self {
        Self {
            max_msg_size: 1024 * 1024,
            max_body_size: 5 * 1024 * 1024,
            max_rdy_count: 2500,
            max_req_timeout_ms: 60 * 60 * 1000,
        }
    }
}

impl Limits {
    /// Most messages that one MPUB may announce: a one-byte message takes five bytes, and four
    /// bytes hold the count.
    pub const fn max_batch_count(&self) -> u64 {
        self.max_body_size.saturating_sub(4) / 5
    }
}
