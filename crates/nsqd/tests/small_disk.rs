//! The program itself on a real file system of a few megabytes, which the test fills and empties.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nsq_sim::{Connection, Ledger, Program, Received, Seed, command, drain, http};

const PATIENCE: Duration = Duration::from_secs(10);
const DISK_KILOBYTES: usize = 8 << 10;

/// A daemon in a mount namespace of its own, where its data directory is a small tmpfs.
struct SmallDisk {
    program: Program,
    ballast: PathBuf,
    _directory: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where the system allows no namespaces.
    fn start(flags: &[&str]) -> Option<Self> {
        if !may_unshare() {
            assert!(std::env::var_os("CI").is_none(), "this machine allows no mount namespaces");
            eprintln!("skipped: this machine allows no mount namespaces");
            return None;
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        let mount = format!("mount -t tmpfs -o size={DISK_KILOBYTES}k none \"$0\" && exec \"$@\"");
        let mut command = unshare();
        command.args(["sh", "-c", &mount]).arg(path).arg(env!("CARGO_BIN_EXE_nsqd"));
        let mut all = vec!["--max-bytes-per-file=200000".to_owned()];
        all.extend(flags.iter().map(|&flag| flag.to_owned()));
        let program = Program::start_by(command, path, &all).expect("the daemon starts");
        // How its root looks from outside of its namespace.
        let root = PathBuf::from(format!("/proc/{}/root", program.id()));
        let inside = path.strip_prefix("/").expect("temporary directories are absolute");
        let ballast = root.join(inside).join("ballast");
        Some(Self { program, ballast, _directory: directory })
    }

    /// Takes the room that is left, but for some bytes.
    fn fill_but(&self, left: u64) {
        let mut ballast = fs::File::create(&self.ballast).expect("a file can be made");
        while ballast.write_all(&[1; 4096]).is_ok() {}
        let length = ballast.metadata().expect("it is open").len();
        ballast.set_len(length.saturating_sub(left)).expect("files can be cut");
    }

    fn publish(&self, ledger: &Ledger) -> Received {
        let publish = ledger.send("orders", 1, 0, &mut Seed(7));
        let mut connection =
            Connection::open(self.program.addresses.tcp).expect("the daemon listens");
        let answer = connection.ask(&command::publish("orders", &publish.bodies[0]));
        let answer = answer.expect("an answer");
        if answer == ok() {
            ledger.acknowledge(&publish, 1);
        }
        answer
    }

    fn get(&self, path: &str) -> (u16, String) {
        let answer = http::get(self.program.addresses.http, path).expect("an answer");
        (answer.status, answer.body)
    }
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount"]);
    command
}

fn may_unshare() -> bool {
    let tried = unshare().arg("true").stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

fn ok() -> Received {
    Received::Response(b"OK".to_vec())
}

/// Full, drained, emptied, full again: refused and healed, and nothing acknowledged is lost.
fn check(flags: &[&str], left: u64, reason: &str) {
    let Some(disk) = SmallDisk::start(flags) else { return };
    let ledger = Arc::new(Ledger::default());
    ledger.open_first_channel("orders", "archive");
    for _ in 0..2 {
        for _ in 0..20 {
            assert_eq!(disk.publish(&ledger), ok());
        }
        disk.fill_but(left);
        let deadline = Instant::now() + PATIENCE;
        let refusal = loop {
            match disk.publish(&ledger) {
                answer if answer == ok() => assert!(Instant::now() < deadline, "it is refused"),
                answer => break answer,
            }
        };
        let Received::Error(text) = refusal else { panic!("{refusal:?}") };
        assert!(text.starts_with("E_PUB_FAILED PUB failed ") && text.contains(reason), "{text}");
        let (status, text) = disk.get("/ping");
        assert!(status == 500 && text.starts_with("NOK - ") && text.contains(reason), "{text}");
        let addresses = disk.program.addresses;
        let refused = http::post(addresses.http, "/pub?topic=orders", b"x").expect("an answer");
        assert_eq!((refused.status, refused.body.as_str()), (503, r#"{"message":"EXITING"}"#));
        consume(&disk, &ledger);
        fs::remove_file(&disk.ballast).expect("the ballast is there");
        assert_eq!(disk.publish(&ledger), ok());
        assert_eq!(disk.get("/ping"), (200, "OK".to_owned()));
        assert_eq!(drain(addresses, &ledger, PATIENCE), [""; 0]);
    }
    assert_eq!(ledger.faults(), [""; 0]);
}

/// What was published before goes out while the disk is full. The channel is made with the first
/// of it, when there is room.
fn consume(disk: &SmallDisk, ledger: &Arc<Ledger>) {
    if disk.get("/stats?format=json").1.contains("\"channel_name\":\"archive\"") {
        assert_eq!(drain(disk.program.addresses, ledger, PATIENCE), [""; 0]);
    }
}

#[test]
fn a_full_disk_refuses_publishers_and_heals() {
    check(&["--min-free-disk=0"], 0, "no space left on device");
}

#[test]
fn a_nearly_full_disk_refuses_publishers_and_heals() {
    // A twentieth of the disk must be free, which is 400 kB.
    check(&[], 200_000, "--min-free-disk");
}

#[test]
fn a_small_disk_starts_with_the_defaults() {
    let Some(disk) = SmallDisk::start(&[]) else { return };
    assert_eq!(disk.get("/ready"), (200, "OK".to_owned()));
    assert!(Path::new(&disk.ballast).parent().is_some_and(Path::exists));
}
