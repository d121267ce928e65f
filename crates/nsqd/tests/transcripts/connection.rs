//! tcp-protocol.md §2, §4 and §21: the magic, command lines, the vectors.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{Client, Daemon, Frame, PATIENCE, publish, with_size};

#[test]
fn vectors_are_met_byte_by_byte() {
    let daemon = Daemon::start(&[]);
    let mut stream = TcpStream::connect(daemon.tcp()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut exchange = |sent: &[u8], expected: &[u8]| {
        stream.write_all(sent).unwrap();
        let mut received = vec![0; expected.len()];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received.escape_ascii().to_string(), expected.escape_ascii().to_string());
    };
    // §21: magic + `PUB x`, body `a`; OK.
    exchange(
        b"\x20\x20\x56\x32\x50\x55\x42\x20\x78\x0a\x00\x00\x00\x01\x61",
        b"\x00\x00\x00\x06\x00\x00\x00\x00\x4f\x4b",
    );
    exchange(b"SUB x c\n", b"\x00\x00\x00\x06\x00\x00\x00\x00\x4f\x4b");
    // A message frame: size 31, type 2, then timestamp, attempts 1, id, body `a`.
    exchange(b"RDY 1\n", b"\x00\x00\x00\x1f\x00\x00\x00\x02");
    let mut message = [0; 27];
    stream.read_exact(&mut message).unwrap();
    assert_eq!((&message[8..10], &message[26..]), (&b"\x00\x01"[..], &b"a"[..]));
    stream.write_all(b"CLS\n").unwrap();
    let mut close_wait = [0; 18];
    stream.read_exact(&mut close_wait).unwrap();
    assert_eq!(&close_wait, b"\x00\x00\x00\x0e\x00\x00\x00\x00CLOSE_WAIT");
}

#[test]
fn wrong_magic_is_told_so() {
    let daemon = Daemon::start(&[]);
    for magic in ["  V1", "V2  ", "\n\n\n\n", "GET / HTTP/1.1\r\n\r\n", "  v2", "\0\0\0\0"] {
        let mut client = Client::connect(daemon.tcp());
        client.send(magic);
        client.expect_last_error("E_BAD_PROTOCOL");
    }
    let mut stream = TcpStream::connect(daemon.tcp()).unwrap();
    stream.write_all(b"  V3").unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert_eq!(
        received,
        b"\x00\x00\x00\x12\x00\x00\x00\x01\x45\x5f\x42\x41\x44\x5f\x50\x52\x4f\x54\x4f\x43\x4f\x4c"
    );
}

#[test]
fn half_a_magic_is_closed_silently_at_its_end() {
    let daemon = Daemon::start(&[]);
    for magic in ["", " ", "  ", "  V", "xyz"] {
        let mut client = Client::connect(daemon.tcp());
        client.send(magic);
        client.send_end();
        client.expect_closed();
    }
}

#[test]
fn the_magic_may_come_in_pieces_and_with_commands() {
    let daemon = Daemon::start(&[]);
    let mut client = Client::connect(daemon.tcp());
    for piece in [" ", " V", "2PU", "B t\n\0\0", "\0\x01", "a", "PUB t\n\0\0\0\x01b"] {
        client.send(piece);
    }
    client.expect_ok();
    client.expect_ok();
    assert_eq!(daemon.topic("t")["message_count"], 2);
}

/// What a line does on a connection in state *init*.
enum Line {
    /// It is executed, or ignored, without an answer.
    Nothing,
    Refused(&'static [u8]),
    Closed,
}

#[test]
fn command_lines() {
    use Line::{Closed, Nothing, Refused};
    let daemon = Daemon::start(&[]);
    let long_nop = |length: usize| format!("NOP {}\n", "x".repeat(length - 5)).into_bytes();
    let cases: &[(Vec<u8>, Line)] = &[
        (b"NOP\n".to_vec(), Nothing),
        (b"NOP\r\n".to_vec(), Nothing),
        (b"NOP \n".to_vec(), Nothing),
        (b"NOP a b  c\n".to_vec(), Nothing),
        (long_nop(16384), Nothing),
        (long_nop(16385), Closed),
        (vec![b'x'; 20_000], Closed),
        (b"\n".to_vec(), Refused(b"E_INVALID invalid command ")),
        (b"\r\n".to_vec(), Refused(b"E_INVALID invalid command ")),
        (b" NOP\n".to_vec(), Refused(b"E_INVALID invalid command ")),
        (b"NOP\r\r\n".to_vec(), Refused(b"E_INVALID invalid command NOP\r")),
        (b"SUB\r\r\n".to_vec(), Refused(b"E_INVALID invalid command SUB\r")),
        (b"NOP\t\n".to_vec(), Refused(b"E_INVALID invalid command NOP\t")),
        (b"nop\n".to_vec(), Refused(b"E_INVALID invalid command nop")),
        (b"Pub t\n".to_vec(), Refused(b"E_INVALID invalid command Pub")),
        (b"FOO bar baz\n".to_vec(), Refused(b"E_INVALID invalid command FOO")),
        (b"PUBx\n".to_vec(), Refused(b"E_INVALID invalid command PUBx")),
        (b"\xff\x00\xc3\xa9\n".to_vec(), Refused(b"E_INVALID invalid command \xff\x00\xc3\xa9")),
        (b"SUB  b\n".to_vec(), Refused(b"E_BAD_TOPIC SUB topic name \"\" is not valid")),
        (b"SUB a \n".to_vec(), Refused(b"E_BAD_CHANNEL SUB channel name \"\" is not valid")),
        (b"PUB \n".to_vec(), Refused(b"E_BAD_TOPIC PUB topic name \"\" is not valid")),
    ];
    for (input, expected) in cases {
        let mut client = daemon.client();
        client.send(input);
        match expected {
            Nothing => {
                client.send(publish("after", "a"));
                client.expect_ok();
            }
            Refused(error) => client.expect_last_error(error),
            Closed => client.expect_closed(),
        }
    }
}

#[test]
fn surplus_parameters_are_ignored() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.send([&b"IDENTIFY a b\n"[..], &with_size("{}")].concat());
    client.expect_ok();
    client.send([&b"PUB t extra\n"[..], &with_size("a")].concat());
    client.expect_ok();
    client.send([&b"DPUB t 0 extra\n"[..], &with_size("b")].concat());
    client.expect_ok();
    client.send([&b"MPUB t extra\n"[..], &with_size(b"\0\0\0\x01\0\0\0\x01c")].concat());
    client.expect_ok();
    client.send("SUB t c extra\n");
    client.expect_ok();
    client.send("RDY 1 extra\n");
    let message = client.expect_message();
    client.send(format!("TOUCH {0} extra\nREQ {0} 0 extra\n", message.id));
    let message = client.expect_message();
    client.send(format!("FIN {} extra\n", message.id));
    client.expect_message();
    client.send("CLS extra\n");
    client.expect(&Frame::response("CLOSE_WAIT"));
}

#[test]
fn a_last_line_without_its_end_is_ignored() {
    let daemon = Daemon::start(&[]);
    for input in ["NOP", "FOO", "PUB a!", "RDY 99999999", "SUB t c"] {
        let mut client = daemon.client();
        client.send(input);
        client.send_end();
        client.expect_closed();
    }
    assert!(daemon.topic("t").is_null());
}

#[test]
fn commands_come_in_any_pieces() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let script = [
        &publish("t", "first")[..],
        b"NOP\r\n",
        b"MPUB t\n\0\0\0\x0e\0\0\0\x02\0\0\0\x01x\0\0\0\x01y",
        b"DPUB t 0\n\0\0\0\x01z",
        b"SUB t c\nRDY 4\n",
    ];
    for byte in script.concat() {
        client.send([byte]);
    }
    for _ in 0..4 {
        client.expect_ok();
    }
    assert_eq!(client.expect_bodies(4), ["first", "x", "y", "z"]);
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let script = [
        &publish("t", "a")[..],
        b"SUB t c\nRDY 1\nFIN 0000000000000000\n",
        &publish("t", "b"),
        b"REQ 0000000000000000 1\nCLS\n",
    ];
    client.send(script.concat());
    client.expect_ok();
    client.expect_ok();
    let mut answers = Vec::new();
    while answers.last() != Some(&Frame::response("CLOSE_WAIT")) {
        let frame = client.next_frame().expect("still connected");
        // A message may come in between, as soon as there was an RDY.
        answers.extend(Some(frame).filter(|frame| frame.kind != 2));
    }
    let expected = [
        Frame::error("E_FIN_FAILED FIN 0000000000000000 failed ID not in flight"),
        Frame::response("OK"),
        Frame::error("E_REQ_FAILED REQ 0000000000000000 failed ID not in flight"),
        Frame::response("CLOSE_WAIT"),
    ];
    assert_eq!(answers, expected);
}
