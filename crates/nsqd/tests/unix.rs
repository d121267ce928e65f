//! Unix sockets in place of ports.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

/// An nsqd that listens nowhere else; killed if a test ends early.
struct Daemon {
    child: Child,
    home: PathBuf,
}

impl Daemon {
    fn start(home: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_nsqd"))
            .args(["--tcp-address=tcp.sock", "--http-address=http.sock", "--data-path=."])
            .current_dir(home)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nsqd starts");
        let daemon = Self { child, home: home.to_owned() };
        let deadline = Instant::now() + PATIENCE;
        // The file is there before somebody listens, and after somebody was killed.
        while UnixStream::connect(home.join("http.sock")).is_err() {
            assert!(Instant::now() < deadline, "it does not listen");
            std::thread::yield_now();
        }
        daemon
    }

    fn connect(&self, name: &str) -> UnixStream {
        let stream = UnixStream::connect(self.home.join(name)).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
        stream
    }

    fn get(&self, target: &str) -> Value {
        let mut stream = self.connect("http.sock");
        let request = format!("GET {target} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        serde_json::from_str(body).expect("JSON")
    }

    fn signal(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
        self.child.wait().expect("it is our child");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Fails for a process that has ended, which is the normal case.
        if self.child.kill().is_ok() && self.child.wait().is_err() {
            eprintln!("process {} is left over", self.child.id());
        }
    }
}

/// Sends commands and reads so many frames' bytes.
fn exchange(stream: &mut UnixStream, input: &[u8], expected: &[u8]) {
    stream.write_all(input).expect("it reads");
    let mut received = vec![0; expected.len()];
    stream.read_exact(&mut received).expect("it answers");
    assert_eq!(received, expected);
}

const OK: &[u8] = b"\0\0\0\x06\0\0\0\0OK";

#[test]
fn everything_over_sockets_which_come_and_go_with_the_daemon() {
    let home = TempDir::new().expect("there is room for temporary files");
    let mut daemon = Daemon::start(home.path());
    let mut client = daemon.connect("tcp.sock");
    exchange(&mut client, b"  V2PUB t\n\0\0\0\x01a", OK);
    exchange(&mut client, b"SUB t c\n", OK);
    let stats = daemon.get("/stats?format=json");
    let seen = &stats["topics"][0]["channels"][0]["clients"][0];
    assert_eq!((&seen["remote_address"], &seen["client_id"]), (&"@".into(), &"".into()));
    let info = daemon.get("/info");
    assert_eq!((&info["tcp_port"], &info["http_port"]), (&(-1).into(), &(-1).into()));

    // A daemon that was killed leaves its sockets behind. Go NSQ does not start then.
    daemon.signal(Signal::KILL);
    assert!(home.path().join("tcp.sock").exists());
    let mut daemon = Daemon::start(home.path());
    let stats = daemon.get("/stats?format=json");
    assert_eq!(stats["topics"][0]["channels"][0]["depth"], 1);

    daemon.signal(Signal::TERM);
    assert!(!home.path().join("tcp.sock").exists() && !home.path().join("http.sock").exists());
}
