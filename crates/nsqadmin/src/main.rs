//! nsqadmin, the admin daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    nsqadmin::main()
}
