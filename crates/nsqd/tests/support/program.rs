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
    pub(super) https: Option<SocketAddr>,
}

impl Program {
    /// Starts it; the error is its last fatal line.
    pub(super) fn start(path: &Path, flags: &[String]) -> Result<Self, String> {
        let mut command = Command::new(path);
        command.args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the named nsqd starts");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let is_secure = flags.iter().any(|flag| flag.starts_with("--https-address=127."));
        match listening(&mut log, is_secure) {
            Ok((tcp, http, https)) => {
                // The rest of the log is read so that the child never waits for it.
                std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                Ok(Self { child, tcp, http, https })
            }
            Err(fatal) => {
                child.wait().expect("it is our child");
                Err(fatal)
            }
        }
    }
}

impl Program {
    /// The most memory that it had so far.
    pub(super) fn peak_memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it is our child");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("a peak in KiB");
        kib.parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}

/// TCP, HTTP, HTTPS.
type Addresses = (SocketAddr, SocketAddr, Option<SocketAddr>);

/// Reads the log until all addresses are known, or to its end.
fn listening(log: &mut BufReader<ChildStderr>, is_secure: bool) -> Result<Addresses, String> {
    let (mut tcp, mut http, mut https, mut fatal) = (None, None, None, String::new());
    let mut line = String::new();
    while log.read_line(&mut line).is_ok_and(|count| count > 0) {
        let address = |what: &str| line.trim_end().split_once(what)?.1.parse().ok();
        tcp = tcp.or_else(|| address(" TCP: listening on "));
        http = http.or_else(|| address(" HTTP: listening on "));
        https = https.or_else(|| address(" HTTPS: listening on "));
        if let (Some(tcp), Some(http)) = (tcp, http)
            && is_secure == https.is_some()
        {
            return Ok((tcp, http, https));
        }
        if let Some((_, text)) = line.split_once(" FATAL: ") {
            text.trim_end().clone_into(&mut fatal);
        }
        line.clear();
    }
    Err(fatal)
}
