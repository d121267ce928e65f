//! One of the tools in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};

use crate::patience::PATIENCE;

pub(crate) const NSQ_TO_HTTP: &str = env!("CARGO_BIN_EXE_nsq_to_http");
pub(crate) const NSQ_TO_NSQ: &str = env!("CARGO_BIN_EXE_nsq_to_nsq");

/// Retries without the usual pauses of seconds and minutes.
pub(crate) const IMPATIENT: [&str; 2] =
    ["--consumer-opt=default_requeue_delay,10ms", "--consumer-opt=backoff_multiplier,5ms"];

/// Killed when it is dropped before it was stopped.
pub(crate) struct Tool {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Tool {
    #[track_caller]
    pub(crate) fn start(binary: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(arguments);
        Self::run(command)
    }

    #[track_caller]
    pub(crate) fn run(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the tool starts");
        let log = BufReader::new(child.stderr.take().expect("it is piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = log.lines().map_while(Result::ok);
            // Ends early when the test has seen enough.
            lines.try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The rest of the next line that has `text`, from there on.
    #[track_caller]
    pub(crate) fn line(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no line with {text:?}: {error}"));
            if let Some(at) = line.find(text) {
                return line[at..].to_owned();
            }
        }
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it is our child");
    }

    /// Exit code, once it ends.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().expect("it is our child").code()
    }

    /// Exit code after SIGTERM.
    pub(crate) fn stop(self) -> Option<i32> {
        self.terminate();
        self.wait()
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.child.kill().expect("it is our child");
            self.child.wait().expect("it is our child");
        }
    }
}

/// Exit code, standard output, and the last line on standard error without its date, of a tool
/// that does not stay.
#[track_caller]
pub(crate) fn run(binary: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(binary).args(arguments).output().expect("the tool starts");
    let [printed, said] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    let last = said.lines().next_back().unwrap_or_default();
    let dated = last.splitn(3, ' ').nth(2).filter(|_| last.starts_with("20"));
    (output.status.code(), printed, dated.unwrap_or(last).to_owned())
}
