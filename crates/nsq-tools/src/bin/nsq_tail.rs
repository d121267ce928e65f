//! nsq_tail: prints the messages of a topic.

use std::process::ExitCode;

fn main() -> ExitCode {
    nsq_tools::nsq_tail::main()
}
