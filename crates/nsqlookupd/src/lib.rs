//! The lookup daemon: which nsqd serves which topic, and which channels exist.
//!
//! nsqd nodes connect and register their topics and channels ([`registry`]); consumers ask over
//! HTTP. Nothing is kept on disk: after a restart the nsqd nodes register again. Several daemons
//! run side by side without knowing of each other.

mod clock;
mod command;
mod connection;
mod daemon;
mod http;
mod identify;
mod metrics;
mod nodes_page;
mod options;
mod poll;
pub mod registry;
mod server;

use std::process::ExitCode;

use nsq_app::flags::{CommandLine, Settings};
use nsq_app::{LogLevel, Logger, Reload, Shutdown, Signals};

pub use options::Options;
pub use server::Server;

/// What the program `nsqlookupd` does.
pub fn main() -> ExitCode {
    let line = match nsq_app::flags::parse_process_arguments::<Options>("nsqlookupd") {
        Ok(line) => line,
        Err(code) => return code,
    };
    if line.options.version {
        println!("{}", nsq_app::version::line("nsqlookupd"));
        return ExitCode::SUCCESS;
    }
    let settings = match line.settings(&line.options.config) {
        Ok(settings) => settings,
        Err(error) => {
            // What the file says about the log is not known, so the prefix is the default.
            let prefix = Options::default().log_prefix;
            let log = Logger::to_stderr_as(line.options.log_format, &prefix, LogLevel::Fatal);
            log.fatal(format_args!("{error}"));
            return ExitCode::FAILURE;
        }
    };
    let options = &settings.options;
    let log = Logger::to_stderr_as(options.log_format, &options.log_prefix, options.log_level);
    for warning in &settings.warnings {
        log.warning(format_args!("{warning}"));
    }
    match run(line, settings, log.clone()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.fatal(format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(
    line: CommandLine<Options>,
    settings: Settings<Options>,
    log: Logger,
) -> anyhow::Result<()> {
    let shutdown = Shutdown::new();
    let signals = Signals::catch()?;
    let options = settings.options.clone();
    let reload = Reload::new(line, settings, log.clone());
    let server = Server::start(options, log.clone()).await?;
    tokio::spawn(signals.run(log, shutdown.clone(), move || reload.run()));
    server.run(shutdown).await
}
