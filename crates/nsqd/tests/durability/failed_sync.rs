//! With `--sync-every=1` nothing is acknowledged whose sync failed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use nsq_sim::{Connection, Fault, Ledger, Operation, Received, Seed, drain};
use nsq_sim::{command, http};

use crate::life::{Home, Life};

const PATIENCE: Duration = Duration::from_secs(5);
const DELAY_MS: u64 = 50;

/// How a message is published.
#[derive(Clone, Copy, Debug)]
enum Way {
    Pub,
    Mpub,
    Dpub,
    Http,
    HttpMpub,
}

/// Publishes a message in this way; what the daemon answers.
fn publish(life: &Life, ledger: &Ledger, way: Way) -> String {
    let delay_ms = if matches!(way, Way::Dpub) { DELAY_MS } else { 0 };
    let publish = ledger.send("orders", 1, delay_ms, &mut Seed(1));
    let body = &publish.bodies[0];
    let target = match way {
        Way::Http => "/pub?topic=orders",
        _ => "/mpub?topic=orders",
    };
    let answer = match way {
        Way::Pub => ask(life, &command::publish("orders", body)),
        Way::Mpub => ask(life, &command::publish_many("orders", &publish.bodies)),
        Way::Dpub => ask(life, &command::publish_deferred("orders", DELAY_MS, body)),
        Way::Http | Way::HttpMpub => {
            let answer = http::post(life.addresses.http, target, body).expect("an answer");
            format!("{} {}", answer.status, answer.body)
        }
    };
    if answer == "OK" || answer == "200 OK" {
        ledger.acknowledge(&publish, 1);
    }
    answer
}

fn ask(life: &Life, bytes: &[u8]) -> String {
    let mut connection = Connection::open(life.addresses.tcp).expect("the daemon listens");
    match connection.ask(bytes).expect("an answer") {
        Received::Response(text) => String::from_utf8_lossy(&text).into_owned(),
        Received::Error(text) => text,
        Received::Message(message) => panic!("{message:?}"),
    }
}

#[test]
fn it_is_refused_and_the_next_publish_works() {
    let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
    let life = home.start(|options| options.sync_every = 1);
    ledger.open_first_channel("orders", "archive");
    for (way, good, bad) in [
        (Way::Pub, "OK", "E_PUB_FAILED PUB failed "),
        (Way::Mpub, "OK", "E_MPUB_FAILED MPUB failed "),
        (Way::Dpub, "OK", "E_DPUB_FAILED DPUB failed "),
        (Way::Http, "200 OK", "503 "),
        (Way::HttpMpub, "200 OK", "503 "),
    ] {
        assert_eq!(publish(&life, &ledger, way), good);
        home.disk.fail(Operation::Sync, 1, Fault::clean(io::ErrorKind::Other));
        let answer = publish(&life, &ledger, way);
        assert!(answer.starts_with(bad), "{way:?}: {answer}");
        assert_eq!(publish(&life, &ledger, way), good);
    }
    home.disk.power_cut(1);
    life.end();
    let life = home.start(|options| options.sync_every = 1);
    let missing = drain(life.addresses, &ledger, PATIENCE);
    assert_eq!((missing, ledger.faults()), (vec![], vec![]));
    home.disk.kill();
    life.end();
}
