//! tcp-protocol.md §5: which command may come when.

use crate::support::{Client, Daemon, Frame, identify, publish};

/// What a client gets back.
#[derive(Clone, Copy)]
enum Expected {
    Response(&'static str),
    /// The connection stays open.
    Error(&'static str),
    /// The connection is closed.
    Fatal(&'static str),
    Nothing,
}

const INIT: usize = 0;
const SUBSCRIBED: usize = 1;
const CLOSING: usize = 2;

fn client_in(daemon: &Daemon, state: usize) -> Client {
    let mut client = daemon.client();
    if state >= SUBSCRIBED {
        client.subscribe("t", "c");
    }
    if state == CLOSING {
        client.send("CLS\n");
        client.expect(&Frame::response("CLOSE_WAIT"));
    }
    client
}

#[track_caller]
fn check(daemon: &Daemon, state: usize, input: &[u8], expected: Expected) {
    let mut client = client_in(daemon, state);
    client.send(input);
    match expected {
        Expected::Response(data) => client.expect(&Frame::response(data)),
        Expected::Error(text) => client.expect_error(text),
        Expected::Fatal(text) => return client.expect_last_error(text),
        Expected::Nothing => {}
    }
    client.send(publish("other", "still open"));
    client.expect_ok();
}

#[test]
fn every_command_in_every_state() {
    use Expected::{Error, Fatal, Nothing, Response};
    const MISPLACED: [Expected; 8] = [
        Fatal("E_INVALID cannot IDENTIFY in current state"),
        Fatal("E_INVALID cannot AUTH in current state"),
        Fatal("E_INVALID cannot SUB in current state"),
        Fatal("E_INVALID cannot RDY in current state"),
        Fatal("E_INVALID cannot FIN in current state"),
        Fatal("E_INVALID cannot REQ in current state"),
        Fatal("E_INVALID cannot TOUCH in current state"),
        Fatal("E_INVALID cannot CLS in current state"),
    ];
    const OK: Expected = Response("OK");
    const FIN: Expected = Error("E_FIN_FAILED FIN 0123456789abcdef failed ID not in flight");
    const REQ: Expected = Error("E_REQ_FAILED REQ 0123456789abcdef failed ID not in flight");
    const TOUCH: Expected = Error("E_TOUCH_FAILED TOUCH 0123456789abcdef failed ID not in flight");
    let [no_identify, no_auth, no_sub, no_rdy, no_fin, no_req, no_touch, no_cls] = MISPLACED;
    let auth = Fatal("E_AUTH_DISABLED AUTH disabled");
    // Command; in init, subscribed, closing.
    let table: [(&[u8], [Expected; 3]); 12] = [
        (&identify("{}"), [OK, no_identify, no_identify]),
        (b"AUTH\n\0\0\0\x01s", [auth, no_auth, no_auth]),
        (b"SUB t c2\n", [OK, no_sub, no_sub]),
        (b"PUB p\n\0\0\0\x01a", [OK, OK, OK]),
        (b"MPUB p\n\0\0\0\x09\0\0\0\x01\0\0\0\x01a", [OK, OK, OK]),
        (b"DPUB p 10\n\0\0\0\x01a", [OK, OK, OK]),
        (b"NOP\n", [Nothing, Nothing, Nothing]),
        (b"RDY 1\n", [no_rdy, Nothing, Nothing]),
        (b"FIN 0123456789abcdef\n", [no_fin, FIN, FIN]),
        (b"REQ 0123456789abcdef 0\n", [no_req, REQ, REQ]),
        (b"TOUCH 0123456789abcdef\n", [no_touch, TOUCH, TOUCH]),
        (b"CLS\n", [no_cls, Response("CLOSE_WAIT"), no_cls]),
    ];
    let daemon = Daemon::start(&[]);
    for (input, by_state) in table {
        for (state, expected) in by_state.into_iter().enumerate() {
            check(&daemon, state, input, expected);
        }
    }
}

#[test]
fn the_state_comes_before_parameters_and_bodies() {
    let daemon = Daemon::start(&[]);
    let cases: [(usize, &[u8], &str); 12] = [
        (INIT, b"RDY x\n", "RDY"),
        (INIT, b"FIN\n", "FIN"),
        (INIT, b"FIN x\n", "FIN"),
        (INIT, b"REQ\n", "REQ"),
        (INIT, b"TOUCH\n", "TOUCH"),
        (INIT, b"CLS x\n", "CLS"),
        (SUBSCRIBED, b"IDENTIFY\n", "IDENTIFY"),
        (SUBSCRIBED, b"AUTH x\n", "AUTH"),
        (SUBSCRIBED, b"SUB\n", "SUB"),
        (CLOSING, b"IDENTIFY\n\xff\xff\xff\xff", "IDENTIFY"),
        (CLOSING, b"AUTH\n", "AUTH"),
        (CLOSING, b"SUB ! !\n", "SUB"),
    ];
    for (state, input, verb) in cases {
        let mut client = client_in(&daemon, state);
        client.send(input);
        client.expect_last_error(format!("E_INVALID cannot {verb} in current state"));
    }
}

#[test]
fn while_closing_rdy_is_ignored_whatever_it_says() {
    let daemon = Daemon::start(&[]);
    for rdy in ["RDY 1\n", "RDY abc\n", "RDY 99999\n", "RDY -1\n"] {
        check(&daemon, CLOSING, rdy.as_bytes(), Expected::Nothing);
    }
}

#[test]
fn the_state_number_is_in_the_statistics() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.send(publish("t", "a"));
    client.expect_ok();
    assert_eq!(daemon.stats()["producers"][0]["state"], 0);
    client.subscribe("t", "c");
    assert_eq!(daemon.channel("t", "c")["clients"][0]["state"], 3);
    client.send("CLS\n");
    client.expect(&Frame::response("CLOSE_WAIT"));
    assert_eq!(daemon.channel("t", "c")["clients"][0]["state"], 4);
}
