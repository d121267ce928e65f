//! Kill -9 at random moments while messages come.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use nsq_sim::{Connection, Received, Seed, command};
use tempfile::TempDir;

use crate::archive::{Home, is_drained, nsqd, wait_until};
use crate::written::Written;

const ROUNDS: usize = 12;
const MAX_ROUND_MICROS: usize = 250_000;

/// Nothing that nsqd took is missing, whenever the archive was killed; and what is in the output
/// directory is whole where there is a work dir.
fn check(flags: &[&str], work_dir: Option<&Path>) {
    let (nsqd, home, mut seed) = (nsqd(), Home::new(), seed());
    let common = ["--sync-interval=10ms", "--max-in-flight=50"].map(str::to_owned);
    let own = flags.iter().map(|&flag| flag.to_owned());
    let work_flag = work_dir.map(|path| format!("--work-dir={}", path.display()));
    let all: Vec<_> = common.into_iter().chain(own).chain(work_flag).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let has_work_dir = work_dir.is_some();
    let (is_over, published) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| publish_until(&is_over, nsqd.tcp, &published));
        let _end = AtEnd(&is_over);
        for _ in 0..ROUNDS {
            let archive = home.archive(&nsqd, &all);
            archive.line("connecting to nsqd");
            std::thread::sleep(Duration::from_micros(seed.below(MAX_ROUND_MICROS) as u64));
            archive.kill();
            let torn = home.finished().torn;
            assert!(!has_work_dir || torn.is_empty(), "{torn:?} are torn");
        }
    });
    let archive = home.archive(&nsqd, &all);
    wait_until("all are finished", || is_drained(&nsqd, "t"));
    let (code, log) = archive.stop();
    assert_eq!(code, Some(0), "{log:#?}");
    let (finished, left) = (home.finished(), work_dir.map(Written::read).unwrap_or_default());
    assert!(!has_work_dir || finished.torn.is_empty(), "{:?} are torn", finished.torn);
    let lines: BTreeSet<_> = finished.lines().into_iter().chain(left.lines()).collect();
    let published = published.load(Ordering::SeqCst);
    assert!(published > ROUNDS, "only {published} were published");
    let missing: Vec<_> = (0..published).map(body).filter(|body| !lines.contains(body)).collect();
    println!("{published} published, {} files, {} torn", finished.files.len(), finished.torn.len());
    assert!(missing.is_empty(), "{} of {published}: {missing:?}", missing.len());
}

/// Ends the publisher, also where the test fails.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Counts what was acknowledged.
fn publish_until(is_over: &AtomicBool, nsqd: SocketAddr, published: &AtomicUsize) {
    let mut connection = Connection::open(nsqd).expect("nsqd runs");
    while !is_over.load(Ordering::SeqCst) {
        let first = published.load(Ordering::SeqCst);
        let bodies: Vec<_> = (first..first + 10).map(|it| body(it).into_bytes()).collect();
        let answer = connection.ask(&command::publish_many("t", &bodies)).expect("an answer");
        assert_eq!(answer, Received::Response(b"OK".to_vec()));
        published.fetch_add(bodies.len(), Ordering::SeqCst);
        // Some ten thousand a second: the archive has to be able to catch up.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn body(number: usize) -> String {
    format!("message {number} {}", "x".repeat(number % 97))
}

fn seed() -> Seed {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let seed = std::env::var("NSQ_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or(time.as_nanos() as u64);
    println!("NSQ_TEST_SEED={seed}");
    Seed(seed)
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn plain_and_moved() {
    check(&["--rotate-size=2000"], Some(directory().path()));
}

#[test]
fn gzip_and_moved() {
    check(&["--gzip", "--rotate-interval=20ms"], Some(directory().path()));
}

#[test]
fn moved_to_another_file_system() {
    let work = TempDir::new_in("/dev/shm").expect("a directory");
    check(&["--gzip", "--rotate-size=2000"], Some(work.path()));
}

#[test]
fn gzip_in_place() {
    check(&["--gzip", "--rotate-size=20000"], None);
}

#[test]
fn plain_in_place() {
    check(&[], None);
}
