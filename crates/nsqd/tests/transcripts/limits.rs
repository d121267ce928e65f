//! What keeps a daemon within its bounds, and how it says that it is well.

use crate::support::{Client, Daemon, eventually, is_original};

/// A client that has sent the magic and been heard.
fn greeted(daemon: &Daemon) -> Client {
    let mut client = daemon.client();
    client.identify("{}");
    client
}

#[test]
fn one_client_too_many_is_closed_and_a_place_becomes_free() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&["--max-connections=2"]);
    let first = greeted(&daemon);
    let mut second = greeted(&daemon);
    Client::connect(daemon.tcp()).expect_closed();
    // The others do not notice, and HTTP has its own places.
    second.identify("{}");
    assert_eq!(daemon.get("/ping").line(), "200 OK");
    drop(first);
    eventually("the place is free", || {
        let mut client = daemon.client();
        client.try_send("RDY x\n").is_ok() && client.next_frame().is_some()
    });
}

#[test]
fn a_silent_connection_makes_room() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&["--max-connections=2"]);
    let mut silent = Client::connect(daemon.tcp());
    let mut first = greeted(&daemon);
    let mut second = greeted(&daemon);
    silent.expect_closed();
    first.identify("{}");
    second.identify("{}");
}

#[test]
fn clients_that_do_not_speak_the_protocol_take_no_more_than_their_places() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&["--max-connections=2"]);
    let mut strangers = Vec::new();
    for _ in 0..50 {
        let mut stranger = Client::connect(daemon.tcp());
        stranger.send("BAD!");
        stranger.expect_error("E_BAD_PROTOCOL");
        strangers.push(stranger);
    }
    let answer = daemon.get("/debug/pprof/heap");
    let heap = answer.text();
    let clients = heap.lines().find_map(|line| line.strip_prefix("clients "));
    let clients = clients.and_then(|count| count.parse::<u64>().ok());
    // A few may be on their way out.
    assert!(clients.is_some_and(|clients| clients <= 10), "{heap}");
    greeted(&daemon);
}

#[test]
fn a_daemon_that_is_well_is_alive_and_ready() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    for path in ["/live", "/ready", "/ping"] {
        assert_eq!(daemon.get(path).line(), "200 OK", "{path}");
    }
}
