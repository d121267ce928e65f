//! tcp-protocol.md §7: what is no snappy or no deflate, or far too much of it.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::support::{
    Client, Daemon, Frame, identify, in_deflate, in_snappy, is_original, publish,
};

const IDENTIFIER: &[u8] = b"\xff\x06\0\0sNaPpY";

fn client_in_snappy(daemon: &Daemon) -> Client {
    let mut client = daemon.client();
    client.negotiate(r#"{"snappy":true}"#);
    client.start_snappy();
    client
}

fn client_in_deflate(daemon: &Daemon) -> Client {
    let mut client = daemon.client();
    client.negotiate(r#"{"deflate":true}"#);
    client.start_deflate();
    client
}

/// A chunk of snappy's framing format.
fn chunk(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("chunks are small").to_le_bytes();
    [&[kind, length[0], length[1], length[2]], content].concat()
}

#[test]
fn what_is_no_snappy_is_closed_without_a_word() {
    let daemon = Daemon::start(&[]);
    let good = in_snappy(&publish("t", "a"));
    let mut other_sum = good.clone();
    other_sum[14] ^= 1;
    let after = |content: &[u8]| [IDENTIFIER, content].concat();
    let cases = [
        ("plain text", publish("t", "a")),
        ("no identifier", good[IDENTIFIER.len()..].to_vec()),
        ("a wrong identifier", b"\xff\x06\0\0sNaPpy".to_vec()),
        ("an identifier of another length", b"\xff\x07\0\0sNaPpYx".to_vec()),
        ("a wrong sum", other_sum),
        ("an unknown chunk", after(&chunk(0x02, b"\0\0\0\0NOP\n"))),
        ("the last unknown chunk", after(&chunk(0x7f, b"\0\0\0\0NOP\n"))),
        ("a chunk without a sum", after(&chunk(0x01, b"ab"))),
        ("a compressed chunk without a sum", after(&chunk(0x00, b"ab"))),
        ("a stored chunk that is too long", after(&chunk(0x01, &[0; 65_541]))),
        ("a compressed chunk of 4 GiB", after(&chunk(0x00, b"\0\0\0\0\xff\xff\xff\xff\x0f\0a"))),
        ("a length without an end", after(&chunk(0x00, b"\0\0\0\0\xff\xff\xff\xff\xff\xff"))),
        ("a copy from before the start", after(&chunk(0x00, b"\0\0\0\0\x04\x0d\xff"))),
        ("a chunk of 16 MiB", after(b"\0\xff\xff\xff\0\0\0\0")),
    ];
    for (what, input) in cases {
        let mut client = client_in_snappy(&daemon);
        client.try_send_raw(&input).expect("the daemon reads");
        assert_eq!(client.next_frame(), None, "{what}");
    }
    assert!(daemon.topic("t").is_null());
}

#[test]
fn snappy_may_have_what_decoders_skip() {
    let daemon = Daemon::start(&[]);
    let mut client = client_in_snappy(&daemon);
    let pieces = [
        in_snappy(&publish("t", "a")),
        // The identifier again, as some clients send it before each command.
        in_snappy(&publish("t", "b")),
        IDENTIFIER.to_vec(),
        chunk(0xfe, &[0; 1000]),
        chunk(0x80, b"reserved"),
        chunk(0xfd, b""),
        in_snappy(&publish("t", "c")),
    ];
    client.try_send_raw(pieces.concat()).expect("the daemon reads");
    (0..3).for_each(|_| client.expect_ok());
    // A chunk may be empty.
    client.try_send_raw(chunk(0x01, b"\xd8\xea\x82\xa2")).expect("the daemon reads");
    client.subscribe("t", "c");
}

#[test]
fn what_is_no_deflate_is_closed_without_a_word() {
    let daemon = Daemon::start(&[]);
    let cases: [(&str, &[u8]); 5] = [
        ("a block of no kind", b"\x06\0\0\0\0\0\0"),
        ("a stored block with a wrong length", b"\0\x01\0\0\0a"),
        ("a zlib header", b"\x78\x9c\x0b\x08\x75\x52\x28\xe1\x02\0"),
        ("a gzip header", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
        ("a copy from before the start", b"\x4b\x04\x12\0\0\0\xff\xff"),
    ];
    for (what, input) in cases {
        let mut client = client_in_deflate(&daemon);
        client.try_send_raw(input).expect("the daemon reads");
        assert_eq!(client.next_frame(), None, "{what}");
    }
    assert!(daemon.topic("t").is_null());
}

#[test]
fn a_stream_may_break_within_a_body() {
    let daemon = Daemon::start(&[]);
    let half = b"PUB t\n\0\0\0\x0ahalf";
    let error = "E_BAD_MESSAGE PUB failed to read message body";
    let mut client = client_in_snappy(&daemon);
    client.try_send_raw([in_snappy(half), chunk(0x02, b"abcd")].concat()).expect("it reads");
    client.expect_error(error);
    client.expect_closed();
    let mut client = client_in_deflate(&daemon);
    client.try_send_raw([&in_deflate(half)[..], b"\x06\0\0\0"].concat()).expect("it reads");
    client.expect_error(error);
    client.expect_closed();
    // Both may also just end.
    for mut client in [client_in_snappy(&daemon), client_in_deflate(&daemon)] {
        client.send(half);
        client.send_end();
        client.expect_error(error);
        client.expect_closed();
    }
}

#[test]
fn the_end_of_deflate_is_the_end_of_the_input() {
    let daemon = Daemon::start(&[]);
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&publish("t", "a")).expect("a vector takes everything");
    let whole = encoder.finish().expect("a vector takes everything");
    let mut client = client_in_deflate(&daemon);
    client.try_send_raw(whole).expect("the daemon reads");
    client.expect_ok();
    client.expect_closed();
}

#[test]
fn too_much_is_refused_as_without_compression() {
    let daemon = Daemon::start_apart();
    // A body beyond the limit, a line without an end; what comes is some 64 MiB.
    let zeros = vec![0; 64 << 20];
    let mut header = b"PUB t\n".to_vec();
    header.extend((64_u32 << 20).to_be_bytes());
    let bodies = [header, zeros.clone()].concat();
    let before = daemon.peak_memory_bytes();
    for (mut client, body, line) in [
        (client_in_snappy(&daemon), in_snappy(&bodies), in_snappy(&zeros)),
        (client_in_deflate(&daemon), in_deflate(&bodies), in_deflate(&zeros)),
    ] {
        // The daemon may close before it has read all of it.
        let sent = client.try_send_raw(&body);
        match client.next_frame() {
            Some(frame) => {
                let error = "E_BAD_MESSAGE PUB message too big 67108864 > 1048576";
                assert_eq!(frame, Frame::error(error));
                client.expect_closed();
            }
            // The reset of the original may destroy the frame.
            None => assert!(is_original(), "{sent:?}"),
        }
        let is_snappy = body.starts_with(IDENTIFIER);
        let mut client =
            if is_snappy { client_in_snappy(&daemon) } else { client_in_deflate(&daemon) };
        client.try_send_raw(&line).err();
        client.expect_closed();
    }
    let grown = daemon.peak_memory_bytes() - before;
    assert!(grown < 32 << 20, "{grown} bytes more for two clients");
    assert!(daemon.topic("t").is_null());
}

#[test]
fn clients_that_stop_in_the_middle_hold_up_nobody() {
    let mut daemon = Daemon::start(&[]);
    let mut idle = Vec::new();
    for feature in ["snappy", "deflate"] {
        let wish = format!(r#"{{"feature_negotiation":true,"{feature}":true}}"#);
        let mut client = daemon.client();
        client.send(identify(wish));
        idle.push(client);
    }
    let whole = in_snappy(&publish("t", "not quite"));
    for length in [1, 9, 10, 12, 15, whole.len() - 1] {
        let mut client = client_in_snappy(&daemon);
        client.try_send_raw(&whole[..length]).expect("the daemon reads");
        idle.push(client);
    }
    // Without the marker of the flush the message may be complete already.
    let whole = in_deflate(&publish("t", "not quite"));
    for length in [1, 2, 10] {
        let mut client = client_in_deflate(&daemon);
        client.try_send_raw(&whole[..length]).expect("the daemon reads");
        idle.push(client);
    }
    for mut honest in [client_in_snappy(&daemon), client_in_deflate(&daemon)] {
        honest.send(publish("t", "a"));
        honest.expect_ok();
    }
    assert_eq!(daemon.topic("t")["message_count"], 2);
    let began = Instant::now();
    daemon.stop();
    let elapsed = began.elapsed();
    assert!(elapsed < Duration::from_secs(4), "it took {elapsed:?} to stop");
    drop(idle);
}
