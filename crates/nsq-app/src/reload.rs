//! SIGHUP: the configuration file is read again.

use crate::flags::{CommandLine, Settings, changed_keys};
use crate::{DaemonOptions, Logger};

/// Reads the configuration file again and applies what can change while the daemon runs.
#[derive(Debug)]
pub struct Reload<O> {
    line: CommandLine<O>,
    /// What the daemon was started with.
    started: Settings<O>,
    log: Logger,
}

impl<O: DaemonOptions> Reload<O> {
    /// For a daemon that was started with `started`, made of `line` and its configuration file;
    /// its warnings have been told.
    #[must_use]
    pub fn new(line: CommandLine<O>, started: Settings<O>, log: Logger) -> Self {
        Self { line, started, log }
    }

    /// Takes one SIGHUP. A file with a mistake changes nothing.
    pub fn run(&self) {
        let path = self.line.options.config();
        if path.is_empty() {
            let text = "SIGHUP: there is no configuration file to read again";
            return self.log.info(format_args!("{text}"));
        }
        match self.read(path) {
            Ok(settings) => self.apply(path, settings),
            Err(error) => self.log.error(format_args!("SIGHUP: nothing has changed - {error}")),
        }
    }

    fn read(&self, path: &str) -> Result<Settings<O>, String> {
        // What came through a pipe cannot come again, and waiting for it would hold up signals.
        if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(format!("{path} is no file that can be read again"));
        }
        let settings = self.line.settings(path).map_err(|error| error.to_string())?;
        settings.options.check()?;
        Ok(settings)
    }

    fn apply(&self, path: &str, Settings { options, warnings }: Settings<O>) {
        for warning in warnings.iter().filter(|warning| !self.started.warnings.contains(warning)) {
            self.log.warning(format_args!("{warning}"));
        }
        let level = options.log_level();
        let is_level_free = !self.line.given.contains(&"log-level");
        if is_level_free && level != self.log.level() {
            self.log.change_level(level);
            let word = level.word();
            self.log.info(format_args!("SIGHUP: read {path} again, log_level is {word} now"));
        } else {
            self.log.info(format_args!("SIGHUP: read {path} again, there is nothing to change"));
        }
        let mut waiting = changed_keys(&self.started.options, &options);
        waiting.retain(|key| *key != "log_level");
        if !waiting.is_empty() {
            let waiting = waiting.join(", ");
            self.log.info(format_args!("SIGHUP: these changes wait for a restart: {waiting}"));
        }
    }
}
