//! to_nsq: publishes its standard input.

use std::process::ExitCode;

fn main() -> ExitCode {
    nsq_tools::to_nsq::main()
}
