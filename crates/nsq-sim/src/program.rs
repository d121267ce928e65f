//! The real daemon in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::traffic::Addresses;

/// How long a daemon may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running nsqd or nsqlookupd. It is killed when it is dropped.
#[derive(Debug)]
pub struct Program {
    /// Where it listens.
    pub addresses: Addresses,
    child: Child,
    said: Option<std::thread::JoinHandle<Vec<String>>>,
}

impl Program {
    /// Starts the nsqd at `path` on a data directory, with these flags besides.
    pub fn start(path: &Path, data_path: &Path, flags: &[String]) -> Result<Self> {
        Self::start_by(Command::new(path), data_path, flags)
    }

    /// The same by a command that runs nsqd, with its flags behind, in the same process.
    pub fn start_by(mut command: Command, data_path: &Path, flags: &[String]) -> Result<Self> {
        command
            .arg(format!("--data-path={}", data_path.display()))
            .args(["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"])
            .args(flags);
        Self::run(command)
    }

    /// Runs a command that is one of the daemons, with all of its flags.
    pub fn run(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let output = child.stderr.take().context("standard error is a pipe")?;
        let (sender, listening) = mpsc::channel();
        let said = std::thread::spawn(move || listen(output, &sender));
        let mut program = Self { addresses: nowhere(), child, said: Some(said) };
        for _ in 0..2 {
            match listening.recv_timeout(PATIENCE) {
                Ok(("TCP", address)) => program.addresses.tcp = address,
                Ok((_, address)) => program.addresses.http = address,
                Err(_) => {
                    let said = program.kill();
                    let name = command.get_program().display();
                    anyhow::bail!("{name} does not start: {said:#?}");
                }
            }
        }
        Ok(program)
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kill -9. Returns what it said that was a warning or worse.
    pub fn kill(mut self) -> Vec<String> {
        self.end();
        let said = self.said.take().map(std::thread::JoinHandle::join);
        said.and_then(Result::ok).unwrap_or_default()
    }

    fn end(&mut self) {
        // Both fail only if it is gone already.
        if self.child.kill().is_ok() && self.child.wait().is_ok() {}
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

/// Tells the addresses, and keeps the lines that are warnings or worse.
fn listen(output: ChildStderr, sender: &Sender<(&'static str, SocketAddr)>) -> Vec<String> {
    let mut said = Vec::new();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        for name in ["TCP", "HTTP"] {
            let address = line.split_once(&format!("INFO: {name}: listening on "));
            if let Some(address) = address.and_then(|(_, address)| address.parse().ok()) {
                // Nobody may be waiting any more.
                if sender.send((name, address)).is_err() {}
            }
        }
        // That is what a kill in the middle of a write leaves behind.
        let is_expected = line.contains(" INFO: ") || line.contains("was never acknowledged");
        if !is_expected {
            said.push(line);
        }
    }
    said
}

fn nowhere() -> Addresses {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    Addresses { tcp: address, http: address }
}
