//! A disk without room: publishers are refused, everybody else goes on, and it heals by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nsq_sim::{Connection, Ledger, Publish, Received, Seed, Style, Temper, Traffic, drain};
use nsq_sim::{command, http};

use crate::life::{Home, Life};

const PATIENCE: Duration = Duration::from_secs(5);
/// Longer than any test runs.
const NEVER_MS: u64 = 600_000;

/// Publishes one message on a connection of its own and keeps account of it.
fn publish(life: &Life, ledger: &Ledger, topic: &str) -> Received {
    let publish = ledger.send(topic, 1, 0, &mut Seed(1));
    let mut connection = Connection::open(life.addresses.tcp).expect("the daemon listens");
    let answer = connection.ask(&command::publish(topic, &publish.bodies[0])).expect("an answer");
    acknowledge(ledger, &publish, &answer);
    answer
}

fn acknowledge(ledger: &Ledger, publish: &Publish, answer: &Received) {
    if *answer == ok() {
        ledger.acknowledge(publish, publish.bodies.len());
    }
}

fn ok() -> Received {
    Received::Response(b"OK".to_vec())
}

/// Takes away all room, down to the last byte.
fn fill(home: &Home) {
    home.disk.limit(Some(home.disk.used_bytes()));
}

fn ping(life: &Life) -> (u16, String) {
    let answer = http::get(life.addresses.http, "/ping").expect("an answer");
    (answer.status, answer.body)
}

#[test]
fn publishers_are_refused_with_the_error_of_their_command_and_disconnected() {
    let (home, ledger) = (Home::new(), Ledger::default());
    let life = home.start(|_| {});
    assert_eq!(publish(&life, &ledger, "orders"), ok());
    fill(&home);
    let body = b"refused".to_vec();
    let commands = [
        ("E_PUB_FAILED PUB failed ", command::publish("orders", &body)),
        (
            "E_MPUB_FAILED MPUB failed ",
            command::publish_many("orders", std::slice::from_ref(&body)),
        ),
        ("E_DPUB_FAILED DPUB failed ", command::publish_deferred("orders", NEVER_MS, &body)),
        ("E_PUB_FAILED PUB failed ", command::publish("another", &body)),
    ];
    for (expected, bytes) in commands {
        let mut connection = Connection::open(life.addresses.tcp).expect("the daemon listens");
        let answer = connection.ask(&bytes).expect("an answer");
        let Received::Error(text) = answer else { panic!("{answer:?}") };
        assert!(text.starts_with(expected), "{text}");
        let end = connection.answer().expect_err("the connection is closed");
        assert_eq!(end.kind(), std::io::ErrorKind::UnexpectedEof);
    }
    for target in ["/pub?topic=orders", "/pub?topic=orders&defer=1000", "/mpub?topic=orders"] {
        let answer = http::post(life.addresses.http, target, &body).expect("an answer");
        assert_eq!(answer.status, 503, "{target}: {answer:?}");
    }
    home.disk.kill();
    life.end();
}

#[test]
fn ping_says_so_and_all_is_well_when_space_returns() {
    let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
    let life = home.start(|_| {});
    ledger.open_first_channel("orders", "archive");
    assert_eq!(publish(&life, &ledger, "orders"), ok());
    assert_eq!(ping(&life), (200, "OK".to_owned()));
    fill(&home);
    assert_ne!(publish(&life, &ledger, "orders"), ok());
    let (status, text) = ping(&life);
    assert_eq!(status, 500);
    assert!(text.starts_with("NOK - "), "{text}");
    home.disk.limit(None);
    assert_eq!(publish(&life, &ledger, "orders"), ok());
    assert_eq!(ping(&life), (200, "OK".to_owned()));
    assert_eq!(drain(life.addresses, &ledger, PATIENCE), [""; 0]);
    home.disk.kill();
    life.end();
}

#[test]
fn consumers_go_on_with_what_is_there() {
    let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
    let life = home.start(|_| {});
    let mut consumer = Connection::open(life.addresses.tcp).expect("the daemon listens");
    assert_eq!(consumer.ask(&command::subscribe("orders", "archive")).expect("an answer"), ok());
    ledger.open_first_channel("orders", "archive");
    for _ in 0..50 {
        assert_eq!(publish(&life, &ledger, "orders"), ok());
    }
    fill(&home);
    assert_ne!(publish(&life, &ledger, "orders"), ok());
    consumer.send(&command::ready(10)).expect("the daemon reads");
    for _ in 0..50 {
        let Received::Message(message) = consumer.answer().expect("a message") else {
            panic!("not a message");
        };
        ledger.deliver("orders", "archive", &message);
        ledger.finish("orders", "archive", &message.body);
        consumer.send(&command::finish(&message.id)).expect("the daemon reads");
    }
    assert_eq!((ledger.missing(), ledger.faults()), (vec![], vec![]));
    home.disk.kill();
    life.end();
}

/// `--min-free-disk`: before the disk is full publishers are refused, and what is left serves those
/// who make room.
#[test]
fn the_last_room_is_not_for_publishers() {
    let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
    let life = home.start(|options| options.min_free_disk = 10_000);
    ledger.open_first_channel("orders", "archive");
    assert_eq!(publish(&life, &ledger, "orders"), ok());
    home.disk.limit(Some(200_000 + home.disk.used_bytes()));
    let deadline = Instant::now() + PATIENCE;
    let refusal = loop {
        let answer = publish(&life, &ledger, "orders");
        if answer != ok() {
            break answer;
        }
        home.disk.limit(Some(home.disk.used_bytes() + 9_000));
        assert!(Instant::now() < deadline, "publishing is refused");
    };
    let Received::Error(text) = refusal else { panic!("{refusal:?}") };
    assert!(text.starts_with("E_PUB_FAILED PUB failed only "), "{text}");
    assert!(text.ends_with(" must be (see --min-free-disk)"), "{text}");
    let answer = http::post(life.addresses.http, "/pub?topic=orders", b"x").expect("an answer");
    assert_eq!(answer.status, 503);
    for (path, status) in [("/ping", 500), ("/ready", 503), ("/live", 200)] {
        let answer = http::get(life.addresses.http, path).expect("an answer");
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    // A new channel is written down, and what is there is consumed.
    assert_eq!(drain(life.addresses, &ledger, PATIENCE), [""; 0]);
    home.disk.limit(None);
    assert_eq!(publish(&life, &ledger, "orders"), ok());
    assert_eq!(ping(&life), (200, "OK".to_owned()));
    assert_eq!(drain(life.addresses, &ledger, PATIENCE), [""; 0]);
    home.disk.kill();
    life.end();
}

/// The channel could not be written down: a kill would make it vanish, with what was published
/// since.
#[test]
fn a_channel_that_cannot_be_recorded_is_refused_until_it_can() {
    let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
    let life = home.start(|_| {});
    assert_eq!(publish(&life, &ledger, "orders"), ok());
    fill(&home);
    let subscribe = || {
        let mut connection = Connection::open(life.addresses.tcp).expect("the daemon listens");
        connection.ask(&command::subscribe("orders", "archive")).expect("an answer")
    };
    for _ in 0..2 {
        assert!(matches!(subscribe(), Received::Error(text) if text.starts_with("E_SUB_FAILED")));
    }
    home.disk.limit(None);
    assert_eq!(subscribe(), ok());
    ledger.open_first_channel("orders", "archive");
    home.disk.kill();
    life.end();
    let life = home.start(|_| {});
    // The channel is there and gets this one, though nobody has subscribed again.
    let stats = http::get(life.addresses.http, "/stats?format=json").expect("an answer");
    assert!(stats.body.contains("\"channel_name\":\"archive\""), "{}", stats.body);
    assert_eq!(publish(&life, &ledger, "orders"), ok());
    assert_eq!(drain(life.addresses, &ledger, PATIENCE), [""; 0]);
    home.disk.kill();
    life.end();
}

/// Under load, with room that comes and goes at any moment, and a restart at the end.
#[test]
fn nothing_acknowledged_is_lost_on_a_disk_that_is_full_now_and_then() {
    for seed in 0..6 {
        let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
        let mut random = Seed(seed);
        let life = home.start(|options| options.max_bytes_per_file = 50_000);
        let mut traffic = Traffic::new(life.addresses, &ledger, 100_000, seed);
        for style in Style::ALL {
            traffic.publish("orders", style);
        }
        traffic.publish("unread", Style::Deferred);
        for channel in ["archive", "billing"] {
            traffic.consume("orders", channel, Temper::Moody);
        }
        for _ in 0..8 {
            let more = ledger.acknowledged() + 1 + random.below(500) as u64;
            home.disk.limit(None);
            assert!(ledger.wait_for_acknowledged(more, PATIENCE), "publishing works again");
            home.disk.limit(Some(home.disk.used_bytes() + random.below(20_000) as u64));
            let deadline = Instant::now() + PATIENCE;
            while ping(&life).0 != 500 {
                assert!(Instant::now() < deadline, "a publish is refused");
            }
        }
        home.disk.kill();
        home.disk.limit(None);
        life.end();
        traffic.stop();
        let life = home.start(|_| {});
        ledger.open_first_channel("unread", "first");
        let missing = drain(life.addresses, &ledger, PATIENCE);
        assert_eq!((missing, ledger.faults()), (vec![], vec![]), "seed {seed}");
        home.disk.kill();
        life.end();
    }
}
