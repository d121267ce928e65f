//! nsq_stat: statistics of a channel over all nodes.

use std::process::ExitCode;

fn main() -> ExitCode {
    nsq_tools::nsq_stat::main()
}
