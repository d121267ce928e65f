//! Another nsqd binary as a child process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process};

/// The binary that `NSQ_TEST_NSQD` names.
pub(super) fn named() -> Option<&'static Path> {
    static NAMED: OnceLock<Option<std::ffi::OsString>> = OnceLock::new();
    NAMED.get_or_init(|| std::env::var_os("NSQ_TEST_NSQD")).as_deref().map(Path::new)
}

/// Whether that binary was built by Go.
pub(super) fn is_built_with_go() -> bool {
    static GO: OnceLock<bool> = OnceLock::new();
    *GO.get_or_init(|| {
        let version = named().map(|path| Command::new(path).arg("--version").output());
        let version = version.map(|output| output.expect("the named nsqd starts").stdout);
        String::from_utf8_lossy(&version.unwrap_or_default()).contains("built w/go")
    })
}

/// A child that is stopped with this value.
pub(super) struct Program {
    child: Child,
    pub(super) tcp: SocketAddr,
    pub(super) http: SocketAddr,
}

impl Program {
    /// Starts it; the error is its last fatal line.
    pub(super) fn start(path: &Path, flags: &[String]) -> Result<Self, String> {
        let mut command = Command::new(path);
        command.args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the named nsqd starts");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        match listening(&mut log) {
            Ok((tcp, http)) => {
                // The rest of the log is read so that the child never waits for it.
                std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                Ok(Self { child, tcp, http })
            }
            Err(fatal) => {
                child.wait().expect("it is our child");
                Err(fatal)
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}

/// Reads the log until both addresses are known, or to its end.
fn listening(log: &mut BufReader<ChildStderr>) -> Result<(SocketAddr, SocketAddr), String> {
    let (mut tcp, mut http, mut fatal) = (None, None, String::new());
    let mut line = String::new();
    while log.read_line(&mut line).is_ok_and(|count| count > 0) {
        let address = |what: &str| line.trim_end().split_once(what)?.1.parse().ok();
        tcp = tcp.or_else(|| address(" TCP: listening on "));
        http = http.or_else(|| address(" HTTP: listening on "));
        if let (Some(tcp), Some(http)) = (tcp, http) {
            return Ok((tcp, http));
        }
        if let Some((_, text)) = line.split_once(" FATAL: ") {
            text.trim_end().clone_into(&mut fatal);
        }
        line.clear();
    }
    Err(fatal)
}
