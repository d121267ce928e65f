//! A running nsq_to_file and the directories it writes to.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nsq_sim::http;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::written::Written;

/// How long to wait for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A name without a date, so that no test depends on the hour.
const NAME: &str = "--filename-format=<TOPIC><REV>.log";

/// A directory for what is finished, and one for what is not.
pub(crate) struct Home(TempDir);

/// A process. It is killed when it is dropped.
pub(crate) struct Archive {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.0.path().join("work")
    }

    /// The flag for [`Self::work`].
    pub(crate) fn work_dir(&self) -> String {
        format!("--work-dir={}", self.work().display())
    }

    /// What is finished.
    pub(crate) fn finished(&self) -> Written {
        Written::read(&self.out())
    }

    /// nsq_to_file with these flags, and none besides but for names and the output directory.
    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nsq_to_file"));
        command.arg(format!("--output-dir={}", self.out().display())).arg(NAME).args(flags);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Begins to write topic `t` of an nsqd.
    pub(crate) fn archive(&self, nsqd: &Daemon, flags: &[&str]) -> Archive {
        let source = [&*format!("--nsqd-tcp-address={}", nsqd.tcp), "--topic=t"];
        self.start(&[&source, flags].concat())
    }

    pub(crate) fn start(&self, flags: &[&str]) -> Archive {
        let mut child = self.command(flags).spawn().expect("nsq_to_file starts");
        let log = BufReader::new(child.stderr.take().expect("it is piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Ends early when the test has seen enough.
            log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Archive { child, lines }
    }

    /// Runs to its end.
    pub(crate) fn run(&self, flags: &[&str]) -> Output {
        self.command(flags).output().expect("nsq_to_file starts")
    }
}

impl Archive {
    /// The rest of the next line that has `text`, from there on.
    #[track_caller]
    pub(crate) fn line(&self, text: &str) -> String {
        let mut before = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no line with {text:?} after {before:#?}");
            };
            match line.find(text) {
                Some(at) => return line[at..].to_owned(),
                None => before.push(line),
            }
        }
    }

    /// The lines until it ends, or until no more come.
    pub(crate) fn rest(self) -> Vec<String> {
        self.lines.iter().collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is our child");
    }

    /// Exit code and lines after SIGTERM.
    pub(crate) fn stop(self) -> (Option<i32>, Vec<String>) {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Exit code and last lines of one that ends by itself.
    pub(crate) fn wait(mut self) -> (Option<i32>, Vec<String>) {
        let code = self.child.wait().expect("it is our child").code();
        (code, self.rest())
    }

    /// Kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.child.kill().expect("it is our child");
            self.child.wait().expect("it is our child");
        }
    }
}

#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Publishes messages to a topic: `<prefix> <number>` each.
#[track_caller]
pub(crate) fn publish(nsqd: &Daemon, topic: &str, prefix: &str, count: usize) -> Vec<String> {
    let bodies: Vec<_> = (0..count).map(|number| format!("{prefix} {number}")).collect();
    nsqd.order(&format!("/mpub?topic={topic}"), &bodies.join("\n"));
    bodies
}

/// An nsqd whose topic `t` has the channel already.
pub(crate) fn nsqd() -> Daemon {
    let nsqd = Daemon::nsqd(&[]);
    nsqd.order("/topic/create?topic=t", "");
    nsqd.order("/channel/create?topic=t&channel=nsq_to_file", "");
    nsqd
}

/// Whether every message of the channel was finished.
pub(crate) fn is_drained(nsqd: &Daemon, topic: &str) -> bool {
    let target = format!("/stats?format=json&topic={topic}&channel=nsq_to_file");
    let answer = http::get(nsqd.http, &target).expect("an answer");
    let stats: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    let channel = &stats["topics"][0]["channels"][0];
    ["depth", "in_flight_count", "deferred_count"].iter().all(|key| channel[key] == 0)
}
