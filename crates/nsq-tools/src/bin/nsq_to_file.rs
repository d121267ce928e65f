//! `nsq_to_file`: see `nsq_tools::nsq_to_file`.

use std::process::ExitCode;

fn main() -> ExitCode {
    nsq_tools::nsq_to_file::main()
}
