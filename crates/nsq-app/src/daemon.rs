//! What the `main` of every daemon does.

use std::process::ExitCode;

use crate::flags::{self, FlagSet};
use crate::{LogFormat, LogLevel, Logger, Reload, version};

/// The options that every daemon has.
pub trait DaemonOptions: FlagSet + Clone {
    /// Whether only the version is asked for.
    fn version(&self) -> bool;
    /// The configuration file, empty for none.
    fn config(&self) -> &str;
    /// The lowest level that is logged.
    fn log_level(&self) -> LogLevel;
    /// What log lines begin with.
    fn log_prefix(&self) -> &str;
    /// The form of log lines.
    fn log_format(&self) -> LogFormat;
    /// Checks what the flags' types cannot.
    ///
    /// # Errors
    ///
    /// With what the operator has to change.
    fn check(&self) -> Result<(), String>;
}

/// Reads the options of this process, opens the log, and runs the daemon `name` until it ends.
/// Whatever fails is a fatal line: `run` must not have logged its error.
pub fn main<O: DaemonOptions>(
    name: &str,
    run: impl FnOnce(O, Reload<O>, Logger) -> anyhow::Result<()>,
) -> ExitCode {
    let line = match flags::parse_process_arguments::<O>(name) {
        Ok(line) => line,
        Err(code) => return code,
    };
    if line.options.version() {
        println!("{}", version::line(name));
        return ExitCode::SUCCESS;
    }
    let settings = match line.settings(line.options.config()) {
        Ok(settings) => settings,
        Err(error) => {
            // What the file says about the log is not known, so the prefix is the default.
            let (format, defaults) = (line.options.log_format(), O::default());
            let log = Logger::to_stderr_as(format, defaults.log_prefix(), LogLevel::Fatal);
            log.fatal(format_args!("{error}"));
            return ExitCode::FAILURE;
        }
    };
    let options = settings.options.clone();
    let log = Logger::to_stderr_as(options.log_format(), options.log_prefix(), options.log_level());
    for warning in &settings.warnings {
        log.warning(format_args!("{warning}"));
    }
    match run(options, Reload::new(line, settings, log.clone()), log.clone()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.fatal(format_args!("{}", chain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, as Go NSQ's log lines have them.
#[must_use]
pub fn chain(error: &anyhow::Error) -> String {
    let texts: Vec<_> = error.chain().map(ToString::to_string).collect();
    texts.join(" - ")
}

#[cfg(test)]
mod tests {
    use super::chain;

    #[test]
    fn causes_follow_what_they_caused() {
        let error = anyhow::anyhow!("no such file").context("cannot open a").context("no start");
        assert_eq!(chain(&error), "no start - cannot open a - no such file");
    }
}
