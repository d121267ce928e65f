//! A running nsqd, and `nsq` beside it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nsq_sim::{Daemon, http};
use tempfile::TempDir;

/// Nothing here takes long; after this time it will not come at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// An nsqd with a directory of its own, which goes with it.
pub(crate) struct Node {
    pub(crate) daemon: Daemon,
    _data: TempDir,
}

impl Node {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// One that registers with these nsqlookupds.
    pub(crate) fn start_with(lookupds: &[SocketAddr]) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let data = tempfile::tempdir_in(target).expect("a directory can be made");
        Self { daemon: Daemon::nsqd(data.path(), lookupds), _data: data }
    }

    pub(crate) fn tcp(&self) -> String {
        self.daemon.addresses().tcp.to_string()
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.daemon.addresses().http
    }

    /// What `/stats` says of a topic.
    pub(crate) fn stats(&self, topic: &str) -> String {
        let target = format!("/stats?format=json&topic={topic}&include_mem=false");
        http::get(self.http(), &target).expect("an answer").body
    }

    /// `nsq <command> --nsqd <this>`, with more arguments to come.
    pub(crate) fn nsq(&self, command: &str) -> Command {
        let mut nsq = nsq(command);
        nsq.args(["--nsqd", &self.tcp()]);
        nsq
    }
}

/// `nsq <command>`, with standard streams of its own.
pub(crate) fn nsq(command: &str) -> Command {
    let mut nsq = Command::new(env!("CARGO_BIN_EXE_nsq"));
    nsq.arg(command);
    nsq.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    nsq
}

/// Runs it to its end with this on its standard input.
pub(crate) fn run_with(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("nsq starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let input = input.to_vec();
    // It may end before it has read everything.
    let writing = std::thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = child.wait_with_output().expect("it ends");
    writing.join().expect("writing does not panic");
    output
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    command.output().expect("nsq starts")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asks until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "this does not come: {what}");
        std::thread::yield_now();
    }
}

/// Ends by itself, in time.
#[track_caller]
pub(crate) fn exit_code(child: &mut Child) -> Option<i32> {
    let mut code = None;
    wait_until("the end of the process", || {
        let status = child.try_wait().expect("it can be waited for");
        code = status.and_then(|status| status.code());
        status.is_some()
    });
    code
}
