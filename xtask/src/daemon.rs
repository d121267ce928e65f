//! A daemon that was started for a chore.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a daemon may take to say where it listens.
const START: Duration = Duration::from_secs(30);
/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(30);

/// A running daemon with a data directory of its own; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    pub(crate) tcp: String,
    pub(crate) http: String,
    _data: TempDir,
}

impl Daemon {
    /// `nsq up` on free ports.
    pub(crate) fn up(nsq: &Path) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(nsq);
        command.arg("up").args(arguments(data.path())).stdout(Stdio::piped());
        command.args(["--lookupd-tcp-address=127.0.0.1:0", "--lookupd-http-address=127.0.0.1:0"]);
        let mut child = command.spawn().with_context(|| format!("start {}", nsq.display()))?;
        let lines = child.stdout.take().map(lines_of).context("stdout is a pipe")?;
        Self::await_addresses(child, &lines, data, ["  nsqd        TCP ", "  HTTP "])
    }

    /// Any nsqd on free ports, the original one too.
    pub(crate) fn nsqd(nsqd: &Path) -> Result<Self> {
        Self::nsqd_with(nsqd, &[])
    }

    /// The same with more flags.
    pub(crate) fn nsqd_with(nsqd: &Path, flags: &[String]) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(nsqd);
        command.args(arguments(data.path())).args(flags);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {}", nsqd.display()))?;
        let lines = child.stderr.take().map(lines_of).context("stderr is a pipe")?;
        Self::await_addresses(child, &lines, data, ["TCP: listening on ", "HTTP: listening on "])
    }

    /// Reads what the daemon prints up to the addresses that follow these words.
    fn await_addresses(
        child: Child,
        lines: &mpsc::Receiver<String>,
        data: TempDir,
        [tcp, http]: [&str; 2],
    ) -> Result<Self> {
        let mut daemon = Self { child, tcp: String::new(), http: String::new(), _data: data };
        let deadline = Instant::now() + START;
        while daemon.tcp.is_empty() || daemon.http.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = lines.recv_timeout(left).context("the daemon does not listen")?;
            // Both may be in one line, and another daemon's may follow.
            if let Some(address) = word_behind(&line, tcp).filter(|_| daemon.tcp.is_empty()) {
                address.clone_into(&mut daemon.tcp);
            }
            if let Some(address) = word_behind(&line, http).filter(|_| daemon.http.is_empty()) {
                address.clone_into(&mut daemon.http);
            }
        }
        Ok(daemon)
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ctrl-C; the daemon must stop by itself and be content.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::INT)?;
        let status = self.wait()?;
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }

    fn wait(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("the daemon does not stop")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait()
            && let Err(error) = self.child.kill().and_then(|()| self.child.wait())
        {
            eprintln!("cannot kill process {}: {error}", self.child.id());
        }
    }
}

fn arguments(data_path: &Path) -> [OsString; 3] {
    let mut data = OsString::from("--data-path=");
    data.push(data_path);
    [data, "--tcp-address=127.0.0.1:0".into(), "--http-address=127.0.0.1:0".into()]
}

fn word_behind<'a>(line: &'a str, text: &str) -> Option<&'a str> {
    line.split_once(text)?.1.split_whitespace().next()
}

/// The lines of a pipe, which is read to its end whether or not anybody listens.
fn lines_of(pipe: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut listening = true;
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            listening = listening && sender.send(line).is_ok();
        }
    });
    receiver
}
