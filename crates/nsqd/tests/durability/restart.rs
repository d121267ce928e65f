//! Single things that a restart must remember, with a kill at every change of the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nsq_sim::{Connection, Ledger, Received, Seed, drain};
use nsq_sim::{command, http};

use crate::life::{Home, Life};

const PATIENCE: Duration = Duration::from_secs(5);
/// Longer than a restart takes.
const DELAY_MS: u64 = 300;

fn ok() -> Received {
    Received::Response(b"OK".to_vec())
}

fn connect(life: &Life) -> Connection {
    Connection::open(life.addresses.tcp).expect("the daemon listens")
}

/// Publishes a message; true when it was acknowledged.
fn publish(life: &Life, ledger: &Ledger, topic: &str, delay_ms: u64) -> bool {
    let publish = ledger.send(topic, 1, delay_ms, &mut Seed(1));
    let bytes = match delay_ms {
        0 => command::publish(topic, &publish.bodies[0]),
        _ => command::publish_deferred(topic, delay_ms, &publish.bodies[0]),
    };
    let acknowledged = connect(life).ask(&bytes).is_ok_and(|answer| answer == ok());
    if acknowledged {
        ledger.acknowledge(&publish, 1);
    }
    acknowledged
}

/// A consumer that takes nothing yet; none when it was refused.
fn subscribe(life: &Life, topic: &str, channel: &str) -> Option<Connection> {
    let mut connection = connect(life);
    let answer = connection.ask(&command::subscribe(topic, channel));
    answer.is_ok_and(|answer| answer == ok()).then_some(connection)
}

fn post(life: &Life, target: &str) -> bool {
    http::post(life.addresses.http, target, b"").is_ok_and(|answer| answer.status == 200)
}

fn stats(life: &Life) -> String {
    http::get(life.addresses.http, "/stats?format=json").expect("an answer").body
}

fn kill(home: &Home, life: Life) {
    home.disk.kill();
    life.end();
}

fn journal(home: &Home, topic: &str) -> Vec<u8> {
    let directory = home.path().join("topics").join(format!("t-{topic}"));
    home.disk.contents(directory.join("channels.journal")).unwrap_or_default()
}

/// Waits until the keeper has been at work after now.
fn wait_for_the_keeper(home: &Home, life: &Life) {
    let before = journal(home, "clockwork");
    assert!(publish(life, &Ledger::default(), "clockwork", 0));
    let deadline = Instant::now() + PATIENCE;
    while journal(home, "clockwork") == before {
        assert!(Instant::now() < deadline, "the keeper writes the journal");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Nothing but the log says that it is deferred: there is no journal yet.
#[test]
fn a_deferred_publish_to_a_topic_without_channels_stays_deferred() {
    for segment_bytes in [1 << 20, 1] {
        let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
        let life = home.start(|options| options.max_bytes_per_file = segment_bytes);
        for _ in 0..3 {
            assert!(publish(&life, &ledger, "orders", DELAY_MS));
        }
        kill(&home, life);
        let life = home.start(|_| {});
        ledger.open_first_channel("orders", "archive");
        let missing = drain(life.addresses, &ledger, PATIENCE);
        assert_eq!((missing, ledger.faults()), (vec![], vec![]));
        kill(&home, life);
    }
}

/// The journal is synced with the log, but a moment later: `nsqd.dat` may know of a channel that
/// the journal has forgotten.
#[test]
fn a_channel_that_the_journal_forgot_gets_deferred_messages_when_they_are_due() {
    let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
    let life = home.start(|options| options.max_bytes_per_file = 1);
    let consumer = subscribe(&life, "orders", "archive").expect("the disk is fine");
    ledger.open_first_channel("orders", "archive");
    for delay_ms in [DELAY_MS, 0, DELAY_MS, 0] {
        assert!(publish(&life, &ledger, "orders", delay_ms));
    }
    assert!(post(&life, "/channel/pause?topic=orders&channel=archive"), "nsqd.dat is written");
    assert!(post(&life, "/channel/unpause?topic=orders&channel=archive"));
    drop(consumer);
    kill(&home, life);
    home.disk.lose(home.path().join("topics/t-orders/channels.journal"));
    let life = home.start(|_| {});
    let missing = drain(life.addresses, &ledger, PATIENCE);
    assert_eq!((missing, ledger.faults()), (vec![], vec![]));
    kill(&home, life);
}

/// Segments of a topic without channels, or of a paused one, are needed by no channel.
#[test]
fn what_waits_in_a_topic_is_kept() {
    for paused in [false, true] {
        let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
        let life = home.start(|options| options.max_bytes_per_file = 2000);
        assert!(subscribe(&life, "clockwork", "x").is_some());
        if paused {
            assert!(subscribe(&life, "orders", "archive").is_some());
            assert!(post(&life, "/topic/pause?topic=orders"));
        }
        for _ in 0..100 {
            assert!(publish(&life, &ledger, "orders", 0));
        }
        ledger.open_first_channel("orders", "archive");
        wait_for_the_keeper(&home, &life);
        wait_for_the_keeper(&home, &life);
        kill(&home, life);
        let life = home.start(|_| {});
        assert!(!paused || post(&life, "/topic/unpause?topic=orders"));
        assert_eq!(drain(life.addresses, &ledger, PATIENCE), [""; 0]);
        kill(&home, life);
    }
}

/// The keeper may be about to write the journal of a topic that goes.
#[test]
fn a_deleted_topic_does_not_come_back() {
    let (home, ledger) = (Home::new(), Ledger::default());
    let life = home.start(|_| {});
    assert!(subscribe(&life, "clockwork", "x").is_some());
    for _ in 0..5 {
        let consumer = subscribe(&life, "orders", "archive");
        assert!(consumer.is_some() && publish(&life, &ledger, "orders", 0));
        assert!(post(&life, "/topic/delete?topic=orders"));
        wait_for_the_keeper(&home, &life);
    }
    assert_eq!(journal(&home, "orders"), b"");
    kill(&home, life);
    let life = home.start(|_| {});
    let stats = stats(&life);
    assert!(stats.contains("clockwork") && !stats.contains("orders"), "{stats}");
    kill(&home, life);
}

/// What was promised in a script that ended somewhere.
#[derive(Debug, Default)]
struct Promised {
    archive: bool,
    billing_gone: bool,
    events_gone: bool,
}

/// Channels and topics come and go.
fn come_and_go(home: &Home, life: &Life, ledger: &Ledger) -> Promised {
    let mut promised = Promised::default();
    if subscribe(life, "orders", "billing").is_none() {
        return promised;
    }
    let published = publish(life, ledger, "orders", 0) && publish(life, ledger, "events", 0);
    if !published || subscribe(life, "events", "archive").is_none() {
        return promised;
    }
    promised.archive = subscribe(life, "orders", "archive").is_some();
    if promised.archive {
        ledger.open_channel("orders", "archive");
        publish(life, ledger, "orders", 0);
        publish(life, ledger, "orders", DELAY_MS / 3);
    }
    // As in Go NSQ, what cannot be written then is only logged.
    let post = |target| post(life, target) && !home.disk.has_stopped();
    promised.billing_gone = post("/channel/delete?topic=orders&channel=billing");
    promised.events_gone = post("/topic/delete?topic=events");
    promised
}

#[test]
fn killed_at_every_change_of_the_disk_channels_and_topics_are_as_promised() {
    let total = {
        let home = Home::new();
        let life = home.start(|_| {});
        let before = home.disk.changes();
        let promised = come_and_go(&home, &life, &Ledger::default());
        assert!(promised.archive && promised.billing_gone && promised.events_gone);
        kill(&home, life);
        home.disk.changes() - before
    };
    for (stop, sync_every) in (0..total + 5).flat_map(|stop| [(stop, 1), (stop, 2500)]) {
        let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
        let life = home.start(|options| options.sync_every = sync_every);
        home.disk.stop_after(stop, 30);
        let promised = come_and_go(&home, &life, &ledger);
        match sync_every {
            1 => home.disk.power_cut(stop),
            _ => home.disk.kill(),
        }
        life.end();
        let life = home.start(|_| {});
        let stats = stats(&life);
        let case = format!("stopped after {stop}, {promised:?}: {stats}");
        assert!(!promised.events_gone || !stats.contains("events"), "{case}");
        assert!(!promised.billing_gone || !stats.contains("billing"), "{case}");
        assert!(!promised.archive || stats.contains("archive"), "{case}");
        assert!(publish(&life, &ledger, "orders", 0), "{case}");
        let missing = drain(life.addresses, &ledger, PATIENCE);
        assert_eq!((missing, ledger.faults()), (vec![], vec![]), "{case}");
        kill(&home, life);
    }
}
