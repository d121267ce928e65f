//! The message daemon: topics, channels and connections of one node.

mod backing;
mod channel;
mod client;
mod clock;
mod crowd;
mod driver;
mod handles;
mod health;
mod host;
mod http;
mod keeper;
mod latency;
mod lookup;
mod metadata;
mod meters;
mod metrics;
mod node;
mod options;
mod pending;
mod process;
mod published;
mod restore;
mod server;
mod signal;
mod space;
mod stats;
mod statsd;
mod sweep;
mod syncer;
mod topic;

use std::process::ExitCode;

use nsq_app::flags::{CommandLine, Settings};
use nsq_app::{LogLevel, Logger, Reload, Shutdown, Signals};

pub use node::Node;
pub use options::{InvalidOptions, Options};
pub use server::Server;

/// The fewest worker threads: the disk may hold up all but one of them while that one goes on.
const WORKERS_MIN: usize = 2;

/// The runtime that nsqd is made for. More threads than cores cost a third of the throughput of
/// single publishes in wake-ups between them.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.max(WORKERS_MIN))
        .enable_all()
        .build()
}

/// What the program `nsqd` does.
pub fn main() -> ExitCode {
    let line = match nsq_app::flags::parse_process_arguments::<Options>("nsqd") {
        Ok(line) => line,
        Err(code) => return code,
    };
    if line.options.version {
        println!("{}", nsq_app::version::line("nsqd"));
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
            log.fatal(format_args!("{}", chain(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run(line: CommandLine<Options>, settings: Settings<Options>, log: Logger) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let shutdown = Shutdown::new();
        let signals = Signals::catch()?;
        let options = settings.options.clone();
        let reload = Reload::new(line, settings, log.clone());
        let server = Server::start(options, log.clone()).await?;
        tokio::spawn(signals.run(log, shutdown.clone(), move || reload.run()));
        server.run(shutdown).await
    })
}

/// An error with its causes, as Go NSQ's log lines have them.
pub fn chain(error: &anyhow::Error) -> String {
    let texts: Vec<_> = error.chain().map(ToString::to_string).collect();
    texts.join(" - ")
}
