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
    process: Process,
    /// Empty where it listens to HTTP alone.
    pub(crate) tcp: String,
    pub(crate) http: String,
    _data: TempDir,
}

/// A program that runs beside this one; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

/// The words before the addresses in what a daemon prints.
const LISTENING: [&str; 2] = ["TCP: listening on ", "HTTP: listening on "];

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
        Self::start(command, data, LISTENING)
    }

    /// Any nsqlookupd on free ports.
    pub(crate) fn nsqlookupd(nsqlookupd: &Path) -> Result<Self> {
        let mut command = Command::new(nsqlookupd);
        command.args(["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"]);
        Self::start(command, tempfile::tempdir()?, LISTENING)
    }

    /// Any nsqadmin on a free port.
    pub(crate) fn nsqadmin(nsqadmin: &Path, flags: &[String]) -> Result<Self> {
        let mut command = Command::new(nsqadmin);
        command.arg("--http-address=127.0.0.1:0").args(flags);
        let [_, http] = LISTENING;
        Self::start(command, tempfile::tempdir()?, ["", http])
    }

    fn start(mut command: Command, data: TempDir, words: [&str; 2]) -> Result<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn();
        let name = command.get_program().display().to_string();
        let mut child = child.with_context(|| format!("start {name}"))?;
        let lines = child.stderr.take().map(lines_of).context("stderr is a pipe")?;
        Self::await_addresses(child, &lines, data, words).with_context(|| name)
    }

    /// Reads what the daemon prints up to the addresses that follow these words; one whose word is
    /// empty is not waited for.
    fn await_addresses(
        child: Child,
        lines: &mpsc::Receiver<String>,
        data: TempDir,
        [tcp, http]: [&str; 2],
    ) -> Result<Self> {
        let (process, none) = (Process(child), String::new());
        let mut daemon = Self { process, tcp: none.clone(), http: none, _data: data };
        let deadline = Instant::now() + START;
        while daemon.tcp.is_empty() && !tcp.is_empty() || daemon.http.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = lines.recv_timeout(left).context("the daemon does not listen")?;
            // Both may be in one line, and another daemon's may follow.
            let is_wanted = daemon.tcp.is_empty() && !tcp.is_empty();
            if let Some(address) = word_behind(&line, tcp).filter(|_| is_wanted) {
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
        self.process.0.id()
    }

    /// Ctrl-C; the daemon must stop by itself and be content.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.process.0), Signal::INT)?;
        let status = self.wait()?;
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }

    fn wait(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if let Some(status) = self.process.0.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("the daemon does not stop")
    }
}

impl Process {
    /// Starts a program that needs no input, and whose output nobody wants to see.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn();
        Ok(Self(child.with_context(|| format!("start {}", command.get_program().display()))?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait()
            && let Err(error) = self.0.kill().and_then(|()| self.0.wait())
        {
            eprintln!("cannot kill process {}: {error}", self.0.id());
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
