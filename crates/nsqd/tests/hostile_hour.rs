//! A hostile hour, shortened: all kinds of attacks at once, and honest traffic beside them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nsq_sim::{
    Addresses, Attack, Connection, Hostility, Ledger, Program, Received, Style, Temper, Traffic,
    command, drain, http,
};

/// How long anything may take: only a daemon that is stuck, or starves somebody, needs it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Honest messages of one step, each of which must be acknowledged and delivered.
const STEP: u64 = 3_000;
const STEPS: u64 = 8;
/// What the daemon may keep of memory when the attackers are gone.
const RESIDENT_BYTES_MAX: u64 = 200 << 20;
/// Round trips that show the latency without attacks; with them as many as there are.
const ROUND_TRIPS: usize = 1_000;

/// Turns that every attack has at least.
const ROUNDS_MIN: usize = 3;
/// Files the daemon may open, so that attackers may hope to use up its HTTP connections: it allows
/// an eighth of this.
const OPEN_FILES: u64 = 1024;

const FLAGS: [&str; 9] = [
    "--max-connections=300",
    "--max-msg-size=100000",
    "--max-body-size=1000000",
    "--max-bytes-per-file=1000000",
    "--enable-experiment=topology-aware-consumption",
    "--topology-zone=near",
    "--topology-region=here",
    "--statsd-address=nowhere.invalid:8125",
    "--e2e-processing-latency-percentile=0.99,0.5",
];

#[test]
fn honest_clients_go_on_beside_hostile_ones() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = start(directory.path());
    let addresses = program.addresses;
    let ledger = Arc::new(Ledger::default());
    ledger.open_first_channel("orders", "archive");
    report("without attacks", round_trips(addresses, &|taken| taken < ROUND_TRIPS));

    let mut traffic = Traffic::new(addresses, &ledger, usize::MAX, 1);
    Style::ALL.iter().for_each(|&style| traffic.publish("orders", style));
    traffic.consume("orders", "archive", Temper::Moody);
    traffic.consume("orders", "archive", Temper::Diligent);
    progress(addresses, &ledger);
    report("beside honest traffic", round_trips(addresses, &|taken| taken < ROUND_TRIPS));

    let hostility = Hostility::begin(addresses, &Attack::ALL, "orders", "archive");
    let attacked = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let stamps = scope.spawn(|| round_trips(addresses, &|_| attacked.load(Ordering::Relaxed)));
        for _ in 0..STEPS {
            progress(addresses, &ledger);
        }
        let deadline = Instant::now() + PATIENCE;
        while hostility.rounds().iter().any(|(_, rounds)| *rounds < ROUNDS_MIN) {
            assert!(Instant::now() < deadline, "{:?}", hostility.rounds());
            progress(addresses, &ledger);
        }
        attacked.store(false, Ordering::Relaxed);
        report("beside attacks", stamps.join().expect("round trips go on"));
    });
    eprintln!("{:?}", hostility.rounds());
    hostility.stop();
    traffic.stop();

    assert_eq!(drain(addresses, &ledger, PATIENCE), [""; 0]);
    assert_eq!(ledger.faults(), [""; 0]);
    answers(addresses);
    all_clients_leave(addresses);
    let resident_bytes = resident_bytes(program.id());
    eprintln!("{:?}, {} MB resident", ledger.totals(), resident_bytes >> 20);
    assert!(resident_bytes < RESIDENT_BYTES_MAX, "{resident_bytes}");
    let bad = |line: &String| line.contains("panic") || line.contains("ended b");
    let said = program.kill();
    assert_eq!(said.iter().filter(|line| bad(line)).collect::<Vec<_>>(), [""; 0]);
}

fn start(path: &Path) -> Program {
    let flags = FLAGS.map(str::to_owned);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {OPEN_FILES} && exec \"$0\" \"$@\"")]);
    command.arg(env!("CARGO_BIN_EXE_nsqd"));
    Program::start_by(command, path, &flags).expect("the daemon starts")
}

/// Honest publishers and consumers get a step further, and all probes are answered.
fn progress(addresses: Addresses, ledger: &Ledger) {
    let before = ledger.totals();
    let acknowledged = ledger.wait_for_acknowledged(before.acknowledged + STEP, PATIENCE);
    assert!(acknowledged, "publishers are stuck at {:?}, from {before:?}", ledger.totals());
    let deadline = Instant::now() + PATIENCE;
    while ledger.totals().deliveries < before.deliveries + STEP {
        let now = ledger.totals();
        assert!(Instant::now() < deadline, "consumers are stuck at {now:?}, from {before:?}");
        answers(addresses);
    }
    answers(addresses);
}

fn answers(addresses: Addresses) {
    for path in ["/ping", "/ready", "/metrics", "/stats?format=json", "/config/max_msg_size"] {
        assert_eq!(get(addresses, path).0, 200, "{path}");
    }
}

/// A connection may have to make room just before its request comes, so that it tries again.
fn get(addresses: Addresses, path: &str) -> (u16, String) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match http::get(addresses.http, path) {
            Ok(answer) => return (answer.status, answer.body),
            Err(error) => assert!(Instant::now() < deadline, "{path}: {error}"),
        }
    }
}

/// Nobody is promised a place at once while others fill them all.
fn open(addresses: Addresses) -> Connection {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Connection::open(addresses.tcp) {
            Ok(connection) => return connection,
            Err(error) => assert!(Instant::now() < deadline, "there is no room: {error}"),
        }
    }
}

fn all_clients_leave(addresses: Addresses) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stats = get(addresses, "/stats?format=json").1;
        let heap = get(addresses, "/debug/pprof/heap").1;
        if !stats.contains("remote_address") && heap.contains("\nclients 0\n") {
            return;
        }
        assert!(Instant::now() < deadline, "clients are left: {heap}");
    }
}

fn resident_bytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    let kilobytes = line.trim().trim_end_matches("kB").trim();
    kilobytes.parse::<u64>().expect("a number") << 10
}

/// How long one message after the other takes from publisher to consumer, while `goes_on`.
fn round_trips(addresses: Addresses, goes_on: &dyn Fn(usize) -> bool) -> Vec<Duration> {
    let mut taken = Vec::new();
    let (mut publisher, mut consumer) = (open(addresses), open(addresses));
    let ok = Received::Response(b"OK".to_vec());
    let subscribed = consumer.ask(&command::subscribe("pulse", "pulse")).expect("an answer");
    assert_eq!(subscribed, ok);
    consumer.send(&command::ready(1)).expect("it listens");
    while goes_on(taken.len()) {
        let began = Instant::now();
        publisher.send(&command::publish("pulse", b"beat")).expect("it listens");
        let Received::Message(message) = consumer.answer().expect("a message") else {
            panic!("an error instead of a message")
        };
        taken.push(began.elapsed());
        assert_eq!(publisher.answer().expect("an answer"), ok);
        consumer.send(&command::finish(&message.id)).expect("it listens");
    }
    taken
}

/// For information.
fn report(when: &str, mut taken: Vec<Duration>) {
    taken.sort_unstable();
    let at = |percent: usize| taken[(taken.len() * percent / 100).min(taken.len() - 1)];
    eprintln!("{when}: p50 {:?}, p99 {:?} of {} round trips", at(50), at(99), taken.len());
}
