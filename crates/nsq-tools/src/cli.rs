//! What the mains of all tools share.

mod addresses;
mod client_log;
mod client_options;
mod stop_signals;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use nsq_app::flags::{self, CommandLine, FlagSet};
use nsq_app::local_time::LocalTime;
use nsq_app::version::NSQ_VERSION;
use nsq_client::Config;

pub(crate) use client_options::ClientOptions;

pub(crate) use addresses::{Sources, sources};
pub(crate) use client_log::log_to_stderr;
pub(crate) use stop_signals::StopSignals;

/// Runs a tool from its flags to its exit code: 0, 1 with a dated line when `run` fails, 2 when
/// the command line is wrong.
pub(crate) fn main<O: FlagSet>(
    tool: &str,
    run: impl FnOnce(CommandLine<O>) -> anyhow::Result<()>,
) -> ExitCode {
    let line = match flags::parse_process_arguments::<O>(tool) {
        Ok(line) => line,
        Err(code) => return code,
    };
    match run(line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("{}", nsq_app::daemon::chain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// What `--version` of a tool prints.
pub(crate) fn version_line(tool: &str) -> String {
    format!("{tool} v{NSQ_VERSION}")
}

/// What a tool's clients call themselves.
pub(crate) fn user_agent(tool: &str) -> String {
    format!("{tool}/{NSQ_VERSION} {}", Config::default().user_agent)
}

/// A runtime for a tool.
///
/// # Errors
///
/// When the system has no threads left.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// `2026/11/22 18:20:10 <text>` on standard error.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let mut line = String::new();
    LocalTime::system().append_date(SystemTime::now(), &mut line);
    line.push_str(&format!(" {text}\n"));
    if io::stderr().write_all(line.as_bytes()).is_err() {
        // Standard error is gone. There is nowhere left to say so, and no reason to stop.
    }
}
