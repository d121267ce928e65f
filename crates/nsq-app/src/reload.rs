//! SIGHUP: the configuration file is read again, and what is renewed in place.

use crate::flags::{CommandLine, Settings, changed_keys};
use crate::{DaemonOptions, Logger};

/// Reads the configuration file again and applies what can change while the daemon runs.
pub struct Reload<O> {
    line: CommandLine<O>,
    /// What the daemon was started with.
    started: Settings<O>,
    /// What the file said when it was read last.
    last: O,
    changes: Vec<Change<O>>,
    renewals: Vec<Renewal>,
    log: Logger,
}

/// Files that are read again at every SIGHUP.
struct Renewal {
    what: &'static str,
    read: Box<dyn FnMut() -> Result<(), String> + Send>,
}

/// How one option is changed while the daemon runs.
struct Change<O> {
    key: &'static str,
    apply: Box<dyn FnMut(&O) + Send>,
}

impl<O: DaemonOptions> Reload<O> {
    /// For a daemon that was started with `started`, made of `line` and its configuration file;
    /// its warnings have been told.
    #[must_use]
    pub fn new(line: CommandLine<O>, started: Settings<O>, log: Logger) -> Self {
        let last = started.options.clone();
        Self { line, started, last, changes: Vec::new(), renewals: Vec::new(), log }
    }

    /// Besides the log level, the option `key` takes effect at once, by `apply`.
    ///
    /// Only when its value is another than the file had before: what was changed over HTTP
    /// meanwhile stays, so that a SIGHUP for the sake of another option does not undo it.
    pub fn on_change(&mut self, key: &'static str, apply: impl FnMut(&O) + Send + 'static) {
        self.changes.push(Change { key, apply: Box::new(apply) });
    }

    /// Reads files again at every SIGHUP, also when no option has changed: certificates and tokens
    /// are renewed in place. When `read` fails it has changed nothing; its error names the file.
    pub fn on_renewal(
        &mut self,
        what: &'static str,
        read: impl FnMut() -> Result<(), String> + Send + 'static,
    ) {
        self.renewals.push(Renewal { what, read: Box::new(read) });
    }

    /// Takes one SIGHUP. A file with a mistake changes nothing.
    pub fn run(&mut self) {
        for Renewal { what, read } in &mut self.renewals {
            match read() {
                Ok(()) => self.log.info(format_args!("SIGHUP: read {what} again")),
                Err(error) => self
                    .log
                    .error(format_args!("SIGHUP: {what}: what was read before stays - {error}")),
            }
        }
        let path = self.line.options.config().to_owned();
        if path.is_empty() && !self.renewals.is_empty() {
            return;
        }
        if path.is_empty() {
            let text = "SIGHUP: there is no configuration file to read again";
            return self.log.info(format_args!("{text}"));
        }
        match self.read(&path) {
            Ok(settings) => self.apply(&path, settings),
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

    fn apply(&mut self, path: &str, Settings { options, warnings }: Settings<O>) {
        for warning in warnings.iter().filter(|warning| !self.started.warnings.contains(warning)) {
            self.log.warning(format_args!("{warning}"));
        }
        let mut news = Vec::new();
        let level = options.log_level();
        let is_level_free = !self.line.given.contains(&"log-level");
        if is_level_free && level != self.log.level() {
            self.log.change_level(level);
            news.push(format!("log_level is {} now", level.word()));
        }
        // A flag wins over the file, so that what was given as one never differs.
        let differing = changed_keys(&self.last, &options);
        for change in self.changes.iter_mut().filter(|change| differing.contains(&change.key)) {
            (change.apply)(&options);
            news.push(format!("{} has changed", change.key));
        }
        if news.is_empty() {
            news.push("there is nothing to change".to_owned());
        }
        self.log.info(format_args!("SIGHUP: read {path} again, {}", news.join(", ")));
        let mut waiting = changed_keys(&self.started.options, &options);
        let takes_effect = |key| self.changes.iter().any(|change| change.key == key);
        waiting.retain(|key| *key != "log_level" && !takes_effect(*key));
        if !waiting.is_empty() {
            let waiting = waiting.join(", ");
            self.log.info(format_args!("SIGHUP: these changes wait for a restart: {waiting}"));
        }
        self.last = options;
    }
}
