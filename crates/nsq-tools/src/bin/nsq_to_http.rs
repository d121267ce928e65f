//! See `nsq_tools::nsq_to_http`.

use std::process::ExitCode;

fn main() -> ExitCode {
    nsq_tools::nsq_to_http::main()
}
