//! A running `nsq up`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Nothing here takes long; after this time it will not come at all.
const DEADLINE: Duration = Duration::from_secs(30);

/// The process; killed if a test ends without [`Up::interrupt`].
pub(crate) struct Up {
    child: Child,
    output: BufReader<ChildStdout>,
    welcome: String,
}

/// `nsq up` with its data there, on free ports.
pub(crate) fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsq"));
    command.args(["up", "--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"]);
    command.args(["--lookupd-tcp-address=127.0.0.1:0", "--lookupd-http-address=127.0.0.1:0"]);
    command.arg("--data-path").arg(data).stdin(Stdio::null());
    command
}

impl Up {
    /// Starts it and reads what it says up to the last command to try.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(data: &Path, arguments: &[&str]) -> Self {
        let mut command = command(data);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("nsq starts");
        let mut output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let mut welcome = String::new();
        while !welcome.contains("nsq bench") {
            let read = output.read_line(&mut welcome).expect("its output can be read");
            assert!(read > 0, "it ended after saying:\n{welcome}");
        }
        Self { child, output, welcome }
    }

    pub(crate) fn welcome(&self) -> &str {
        &self.welcome
    }

    pub(crate) fn tcp(&self) -> &str {
        self.word_behind("TCP")
    }

    pub(crate) fn http(&self) -> &str {
        self.word_behind("HTTP")
    }

    fn word_behind(&self, label: &str) -> &str {
        let mut words = self.welcome.split_whitespace().skip_while(|word| *word != label);
        words.nth(1).unwrap_or_else(|| panic!("no {label} in:\n{}", self.welcome))
    }

    /// Status and body of a `GET`.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.request("GET", path, "")
    }

    /// Status and body of a `POST`, sent as curl does.
    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.request("POST", path, body)
    }

    fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http()).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout above 0 can be set");
        let (host, length) = (self.http(), body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
             Content-Length: {length}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Connection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers and closes");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status line"), body.to_owned())
    }

    /// Ctrl-C. It must end by itself with code 0; returns what it said.
    pub(crate) fn interrupt(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it runs");
        let mut farewell = String::new();
        // Ends when the process does.
        self.output.read_to_string(&mut farewell).expect("its output can be read");
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "{farewell}");
        farewell
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Fails for a process that has ended, which is the normal case.
        if self.child.kill().is_ok() && self.child.wait().is_err() {
            eprintln!("process {} is left over", self.child.id());
        }
    }
}
