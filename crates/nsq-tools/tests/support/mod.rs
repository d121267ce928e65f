//! Tools in processes of their own, beside real daemons.
//!
//! A tool is the one of this package or, when `NSQ_TEST_TOOLS` names a directory, the one of that
//! name there. So the tests can be held against the originals.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nsq_sim::{Daemon, http};
use tempfile::TempDir;

/// How long to wait for what must come: only a defect takes so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// An nsqd with a directory of its own.
pub(crate) struct Nsqd {
    pub(crate) daemon: Daemon,
    _data: TempDir,
}

impl Nsqd {
    /// Registers with these nsqlookupd.
    #[track_caller]
    pub(crate) fn start(lookupds: &[&Daemon]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let lookupds: Vec<_> = lookupds.iter().map(|daemon| daemon.addresses().tcp).collect();
        Self { daemon: Daemon::nsqd(data.path(), &lookupds), _data: data }
    }

    /// The flag that names it, `nsqd-tcp-address` or `nsqd-http-address`.
    pub(crate) fn flag(&self, name: &str) -> String {
        let addresses = self.daemon.addresses();
        let address = if name.contains("http") { addresses.http } else { addresses.tcp };
        format!("--{name}={address}")
    }

    /// Waits until its statistics of the topic have all of these texts.
    #[track_caller]
    pub(crate) fn until(&self, topic: &str, texts: &[&str]) {
        let target = format!("/stats?format=json&topic={topic}");
        until(&self.daemon, &target, |stats| texts.iter().all(|text| stats.contains(text)));
    }
}

/// Waits until what the daemon answers is as it should be.
#[track_caller]
pub(crate) fn until(daemon: &Daemon, target: &str, is_reached: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = http::get(daemon.addresses().http, target).expect("an answer").body;
        if is_reached(&answer) {
            return;
        }
        assert!(Instant::now() < deadline, "{target}: {answer}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The tool at `path`, with these flags; everything is piped, and there is no input.
pub(crate) fn command(path: &str, flags: &[impl AsRef<str>]) -> Command {
    let mut command = Command::new(place(path));
    command.args(flags.iter().map(AsRef::as_ref));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn place(path: &str) -> PathBuf {
    let name = Path::new(path).file_name().expect("a path has a name");
    match std::env::var_os("NSQ_TEST_TOOLS") {
        Some(directory) => Path::new(&directory).join(name),
        None => PathBuf::from(path),
    }
}

/// Whether the tool under test is the original, which differs deliberately in some points.
pub(crate) fn is_original() -> bool {
    std::env::var_os("NSQ_TEST_TOOLS").is_some()
}

/// Exit code, standard output, and standard error without dates and the client's own lines.
pub(crate) fn outcome(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let errors = text(output.stderr);
    let undated = errors.lines().map(|line| match line.as_bytes() {
        // 2026/11/22 18:20:10
        [_, _, _, _, b'/', _, _, b'/', _, _, b' ', ..] => line.get(20..).unwrap_or_default(),
        _ => line,
    });
    let is_own =
        |line: &&str| !["INF ", "WRN ", "ERR "].iter().any(|level| line.starts_with(level));
    let errors = undated.filter(is_own).collect::<Vec<_>>().join("\n");
    (output.status.code(), text(output.stdout), errors)
}
