//! Another nsqlookupd binary as a child process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process};

/// The binary that `NSQ_TEST_NSQLOOKUPD` names.
pub(super) fn named() -> Option<&'static Path> {
    static NAMED: OnceLock<Option<std::ffi::OsString>> = OnceLock::new();
    NAMED.get_or_init(|| std::env::var_os("NSQ_TEST_NSQLOOKUPD")).as_deref().map(Path::new)
}

/// Whether that binary was built by Go.
pub(super) fn is_built_with_go() -> bool {
    static GO: OnceLock<bool> = OnceLock::new();
    *GO.get_or_init(|| {
        let version = named().map(|path| Command::new(path).arg("--version").output());
        let version = version.map(|output| output.expect("the named program starts").stdout);
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
    pub(super) fn start(path: &Path, flags: &[String]) -> Self {
        let mut command = Command::new(path);
        command.args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the named program starts");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let (tcp, http) = listening(&mut log);
        // The rest of the log is read so that the child never waits for it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, tcp, http }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}

/// Reads the log until both addresses are known.
fn listening(log: &mut BufReader<ChildStderr>) -> (SocketAddr, SocketAddr) {
    let (mut tcp, mut http, mut all) = (None, None, String::new());
    loop {
        let start = all.len();
        assert!(log.read_line(&mut all).is_ok_and(|count| count > 0), "it ended:\n{all}");
        let line = all[start..].trim_end();
        let address = |what: &str| line.split_once(what)?.1.parse().ok();
        tcp = tcp.or_else(|| address(" TCP: listening on "));
        http = http.or_else(|| address(" HTTP: listening on "));
        if let (Some(tcp), Some(http)) = (tcp, http) {
            return (tcp, http);
        }
    }
}
