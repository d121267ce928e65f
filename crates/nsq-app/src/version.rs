//! What the programs say about themselves.

/// NSQ version whose behaviour this is; clients and nsqadmin compare it.
pub const NSQ_VERSION: &str = "1.3.0";

/// The compiler this was built with: `rust1.95.0`.
pub const COMPILER: &str = env!("NSQ_COMPILER");

/// `nsqd v1.3.0 (built w/rust1.95.0)`: the answer to `--version` and the first log line. Scripts
/// cut the version out of it, so only the compiler differs from Go NSQ's line.
#[must_use]
pub fn line(program: &str) -> String {
    format!("{program} v{NSQ_VERSION} (built w/{COMPILER})")
}

#[cfg(test)]
mod tests {
    #[test]
    fn line_has_the_shape_of_go_nsq() {
        let line = super::line("nsqd");
        let compiler = line
            .strip_prefix("nsqd v1.3.0 (built w/rust")
            .and_then(|rest| rest.strip_suffix(')'))
            .expect("name, version, compiler");
        assert!(compiler.starts_with("1."), "{compiler}");
    }
}
