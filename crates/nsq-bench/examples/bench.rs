//! The benchmarks as a program of their own.

use std::process::ExitCode;

fn main() -> ExitCode {
    nsq_bench::main(std::env::args_os())
}
