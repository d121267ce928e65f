//! tcp-protocol.md §22.7: nobody disturbs an honest pair.

use std::thread;

use crate::support::{Client, Daemon, noise, publish};

/// Input of a hostile client behind the magic.
fn attacks() -> Vec<Vec<u8>> {
    let huge = i32::MAX.to_be_bytes();
    let minus = (-1_i32).to_be_bytes();
    let largest_count = 1_048_575_i32.to_be_bytes();
    let declared = 5_242_880_i32.to_be_bytes();
    let mut attacks = vec![
        [b"PUB h\n", &huge[..]].concat(),
        [b"PUB h\n", &minus[..]].concat(),
        [b"DPUB h 1\n", &minus[..]].concat(),
        [b"IDENTIFY\n", &huge[..]].concat(),
        [b"IDENTIFY\n", &declared[..], b"{"].concat(),
        [b"AUTH\n", &minus[..]].concat(),
        [b"MPUB h\n", &declared[..], &huge].concat(),
        [b"MPUB h\n", &declared[..], &minus].concat(),
        // As many messages as may be declared, and none of them comes.
        [b"MPUB h\n", &declared[..], &largest_count].concat(),
        [b"MPUB h\n", &declared[..], &largest_count, b"\0\x10\0\0half"].concat(),
        [b"PUB h\n", &1_048_576_i32.to_be_bytes()[..], b"half"].concat(),
        vec![b'x'; 100_000],
        vec![b'\n'; 1000],
        vec![0; 1000],
        b"SUB h h#ephemeral\nRDY 2500\nFIN \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\n".to_vec(),
        b"SUB h h#ephemeral\nRDY 99999999999999999999999999\n".to_vec(),
        b"NOP\n".repeat(4000),
        b"SUB h h#ephemeral\nCLS\nCLS\n".to_vec(),
    ];
    attacks.extend((1..20).map(|seed| noise(seed, 4000)));
    attacks.extend((1..20).map(|seed| [b"PUB h\n".to_vec(), noise(seed, 400)].concat()));
    attacks.extend(
        (1..20).map(|seed| [b"MPUB h\n\0\0\x10\0\0\0\0\x05".to_vec(), noise(seed, 400)].concat()),
    );
    attacks
}

/// Attacks again and again; every fourth client stays connected.
fn attack(daemon: &Daemon, with_magic: bool) {
    let mut open = Vec::new();
    for (number, input) in attacks().iter().cycle().enumerate().take(600) {
        let mut client = Client::connect(daemon.tcp());
        let magic: &[u8] = if with_magic { b"  V2" } else { b"" };
        if client.try_send([magic, input].concat()).is_err() {
            // It was closed in the middle: the daemon's right.
        }
        if number % 4 == 0 {
            open.push(client);
        }
    }
}

#[test]
fn an_honest_pair_goes_on_undisturbed() {
    let daemon = Daemon::start(&[]);
    thread::scope(|scope| {
        for with_magic in [true, true, false] {
            let daemon = &daemon;
            scope.spawn(move || attack(daemon, with_magic));
        }
        let mut publisher = daemon.client();
        let mut consumer = daemon.consumer("honest", "pair");
        consumer.ready(1);
        for number in 0..2000 {
            let body = format!("message {number}");
            publisher.send(publish("honest", &body));
            publisher.expect_ok();
            let message = consumer.expect_message();
            assert_eq!((message.text(), message.attempts), (body.as_str(), 1));
            consumer.finish(&message);
        }
        consumer.expect_nothing();
    });
    assert_eq!(daemon.get("/ping").line(), "200 OK");
    let channel = daemon.channel("honest", "pair");
    assert_eq!((&channel["message_count"], &channel["depth"]), (&2000.into(), &0.into()));
}

#[test]
fn bytes_without_meaning_are_answered_or_closed_never_obeyed() {
    let daemon = Daemon::start(&[]);
    for seed in 1..200 {
        let mut client = daemon.client();
        // No letter at all, so that it can be no command.
        let mut input = noise(seed, 300);
        input.retain(|byte| !byte.is_ascii_alphabetic());
        input.push(b'\n');
        client.send(&input);
        let frame = client.next_frame().expect("an error");
        assert!(frame.data.starts_with(b"E_INVALID invalid command "), "{frame:?}");
        client.expect_closed();
    }
    assert_eq!(daemon.stats()["topics"], serde_json::json!([]));
}
