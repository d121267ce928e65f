//! nsqlookupd, the lookup daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    nsqlookupd::main()
}
