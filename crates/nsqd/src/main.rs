//! nsqd, the message daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    nsqd::main()
}
