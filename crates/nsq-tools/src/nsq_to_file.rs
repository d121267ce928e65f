//! `nsq_to_file`: writes the messages of topics to files, a line each.
//!
//! A message is finished when it is on the disk and not before: whatever kills this program, what
//! it had not synced is delivered again.

mod consumption;
mod directory;
mod file_names;
mod left_over;
mod move_file;
mod open_file;
mod options;
mod recorder;
mod recorders;
mod rotation;
mod settings;
mod sync_schedule;
mod topic_files;
mod topic_list;
mod topic_log;
mod topics;

use std::process::ExitCode;

use log::LevelFilter;
use nsq_app::{LogLevel, Shutdown, Signals, flags};
use tokio::sync::watch;

use crate::cli;
use recorder::Orders;
use recorders::Recorders;
use settings::Settings;

pub use options::Options;

const NAME: &str = "nsq_to_file";

/// Runs the tool to its exit code: 0 after SIGINT and SIGTERM, 1 when it cannot write or has
/// nothing to write, 2 when the command line is wrong.
pub fn main() -> ExitCode {
    let line = match flags::parse_process_arguments(NAME) {
        Ok(line) => line,
        Err(code) => return code,
    };
    let settings = match Settings::check(line) {
        Ok(Some(settings)) => settings,
        Ok(None) => {
            println!("{}", cli::version_line(NAME));
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            cli::say(format_args!("{}", nsq_app::daemon::chain(&error)));
            return ExitCode::FAILURE;
        }
    };
    let log = settings.log.clone();
    cli::log_to_stderr(level_of_client(log.level()));
    match cli::runtime().and_then(|runtime| runtime.block_on(run(settings))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.fatal(format_args!("{}", nsq_app::daemon::chain(&error)));
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    let (signals, shutdown) = (Signals::catch()?, Shutdown::new());
    let (hang_up, hang_ups) = watch::channel(0_u64);
    let on_hang_up = move || hang_up.send_modify(|count| *count += 1);
    tokio::spawn(signals.run(settings.log.clone(), shutdown.clone(), on_hang_up));
    Recorders::new(settings, Orders { shutdown, hang_ups }).run().await
}

/// The lines of the client follow `--log-level`, too.
fn level_of_client(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::Debug,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Warning => LevelFilter::Warn,
        LogLevel::Error | LogLevel::Fatal => LevelFilter::Error,
    }
}
