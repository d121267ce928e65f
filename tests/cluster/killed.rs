//! Consumers know only nsqlookupd, and daemons are killed under them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use nsq_sim::{Connection, LookupConsumer, Received, command};

use crate::registry::Registry;
use crate::{eventually, eventually_holds};
use nsq_sim::Daemon;

/// How many messages are acknowledged before the kill, at least.
const ENOUGH: usize = 1_000;

fn body(number: usize) -> String {
    format!("2-{number}")
}

/// Publishes one message after the other until the daemon is gone, and counts what it has
/// acknowledged.
fn publish_to_the_end(nsqd: SocketAddr, acknowledged: &AtomicUsize) -> io::Result<()> {
    let mut connection = Connection::open(nsqd)?;
    loop {
        let next = body(acknowledged.load(Ordering::Relaxed));
        let answer = connection.ask(&command::publish("orders", next.as_bytes()))?;
        assert_eq!(answer, Received::Response(b"OK".to_vec()));
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// The nsqd nodes of the topic, by their ports.
fn producers(lookupd: &Daemon) -> Vec<u16> {
    let orders = Registry::of(lookupd.addresses().http).topics.remove("orders");
    orders.map_or_else(Vec::new, |(_, producers)| producers)
}

fn ports(daemons: &[&Daemon]) -> Vec<u16> {
    let mut ports: Vec<_> = daemons.iter().map(|daemon| daemon.port()).collect();
    ports.sort_unstable();
    ports
}

#[test]
fn consumers_go_on_and_get_what_a_killed_nsqd_acknowledged() {
    let homes: Vec<_> = (0..4).map(|_| tempfile::tempdir().expect("a directory")).collect();
    let (one, mut other) = (Daemon::lookupd(&[]), Daemon::lookupd(&[]));
    let both = [one.addresses().tcp, other.addresses().tcp];
    let first = Daemon::nsqd(homes[0].path(), &both);
    let mut second = Daemon::nsqd(homes[1].path(), &both);
    let third = Daemon::nsqd(homes[2].path(), &both);
    let publish = |nsqd: &Daemon, body: &str| nsqd.order("/pub?topic=orders", body);
    publish(&first, "1a");
    publish(&second, "2a");
    publish(&third, "3a");
    let lookupds = [&one, &other].map(|lookupd| lookupd.addresses().http);
    let mut consumer = LookupConsumer::new(lookupds.to_vec(), "orders", "archive");
    consumer.receive(&["1a", "2a", "3a"]);

    // One nsqd is killed while it takes messages; what the others have comes all the same.
    let acknowledged = AtomicUsize::new(0);
    let nsqd = second.addresses().tcp;
    thread::scope(|scope| {
        let publisher = scope.spawn(|| publish_to_the_end(nsqd, &acknowledged));
        eventually_holds("it takes messages", || acknowledged.load(Ordering::Relaxed) >= ENOUGH);
        second.kill();
        let end = publisher.join().expect("nothing but OK was answered");
        assert!(end.is_err(), "it went on");
    });
    for lookupd in [&one, &other] {
        eventually("the killed one is not named", &ports(&[&first, &third]), || producers(lookupd));
    }
    publish(&first, "1b");
    consumer.receive(&["1b"]);
    second.start_again();
    let acknowledged = acknowledged.into_inner();
    let bodies: Vec<_> = (0..acknowledged).map(body).collect();
    consumer.receive(&bodies);
    let of_second = consumer.received().iter().filter(|body| body.starts_with(b"2-")).count();
    // The last one may have been taken and not acknowledged.
    assert!(of_second - acknowledged <= 1, "{of_second} of {acknowledged}");

    // One nsqlookupd is killed: nobody notices, and it is told everything when it is back.
    other.kill();
    publish(&first, "1c");
    publish(&second, "2c");
    publish(&third, "3c");
    consumer.receive(&["1c", "2c", "3c"]);
    other.start_again();
    let all = ports(&[&first, &second, &third]);
    eventually("it is told everything", &all, || producers(&other));

    // A new nsqd is found, and its channel was there before the consumer came.
    let fourth = Daemon::nsqd(homes[3].path(), &both);
    eventually_holds("it is connected", || {
        let registry = Registry::of(one.addresses().http);
        registry.nodes.iter().any(|(port, _)| *port == fourth.port())
    });
    publish(&fourth, "4a");
    eventually_holds("the channel is made that nsqlookupd knows", || {
        fourth.has_channel("orders", "archive")
    });
    consumer.receive(&["4a"]);
}
