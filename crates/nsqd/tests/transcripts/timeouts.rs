//! tcp-protocol.md §13: messages that nobody answers, and TOUCH.

use std::time::{Duration, Instant};

use crate::support::{Client, Daemon, UNKNOWN_ID, eventually, publish_many};

/// A consumer with a message timeout of one second, the shortest there is.
fn impatient(daemon: &Daemon) -> Client {
    let mut client = daemon.client();
    client.identify(r#"{"msg_timeout":1000}"#);
    client.subscribe("t", "c");
    client
}

#[track_caller]
fn publish_all(daemon: &Daemon, bodies: &[&str]) {
    let mut client = daemon.client();
    client.send(publish_many("t", bodies));
    client.expect_ok();
}

#[test]
fn an_unanswered_message_comes_again() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, &["a"]);
    let mut client = impatient(&daemon);
    let began = Instant::now();
    client.ready(1);
    let first = client.expect_message();
    assert_eq!(first.attempts, 1);
    client.ready(0);
    let mut patient = daemon.consumer("t", "c");
    patient.ready(1);
    let second = patient.expect_message();
    assert!(began.elapsed() >= Duration::from_secs(1), "not before the timeout");
    assert_eq!((second.attempts, &second.id), (2, &first.id));
    assert_eq!(second.timestamp_ns, first.timestamp_ns);
    let channel = daemon.channel("t", "c");
    assert_eq!((&channel["timeout_count"], &channel["requeue_count"]), (&1.into(), &0.into()));
    assert_eq!(channel["message_count"], 1);
    patient.finish(&second);
    patient.expect_nothing();
    assert_eq!(daemon.channel_number("t", "c", "in_flight_count"), 0);
}

#[test]
fn after_a_timeout_the_first_owner_has_no_say() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, &["a"]);
    let mut first = impatient(&daemon);
    first.ready(1);
    let message = first.expect_message();
    first.ready(0);
    let mut second = daemon.consumer("t", "c");
    second.ready(1);
    let again = second.expect_message();
    assert_eq!((again.attempts, &again.id), (2, &message.id));
    for (verb, rest) in [("FIN", ""), ("REQ", " 0"), ("TOUCH", "")] {
        let id = &message.id;
        first.send(format!("{verb} {id}{rest}\n"));
        let why = "client does not own message";
        first.expect_error(format!("E_{verb}_FAILED {verb} {id} failed {why}"));
    }
    second.finish(&again);
    second.expect_nothing();
    first.send(format!("FIN {}\n", message.id));
    first.expect_error(format!("E_FIN_FAILED FIN {} failed ID not in flight", message.id));
}

#[test]
fn the_place_is_free_after_a_timeout() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, &["a", "b"]);
    let mut client = impatient(&daemon);
    client.ready(1);
    assert_eq!(client.expect_message().text(), "a");
    assert_eq!(client.expect_message().text(), "b");
    assert_eq!(client.expect_message().text(), "a");
}

#[test]
fn the_daemons_timeout_holds_for_clients_without_their_own() {
    let daemon = Daemon::start(&["--msg-timeout=300ms"]);
    publish_all(&daemon, &["a"]);
    let mut client = daemon.consumer("t", "c");
    let began = Instant::now();
    client.ready(1);
    client.expect_message();
    assert_eq!(client.expect_message().attempts, 2);
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn touch_extends_but_not_for_ever() {
    let daemon = Daemon::start(&["--max-msg-timeout=2s"]);
    publish_all(&daemon, &["a"]);
    let mut client = impatient(&daemon);
    let began = Instant::now();
    client.ready(1);
    let message = client.expect_message();
    eventually("it is delivered again, however often it is touched", || {
        // The second command is answered in any case.
        client.send(format!("TOUCH {}\nFIN {UNKNOWN_ID}\n", message.id));
        client.next_frame().expect("still connected").kind == 2
    });
    // Longer than the timeout of one second, and no earlier than the cap.
    assert!(began.elapsed() >= Duration::from_secs(2));
}
