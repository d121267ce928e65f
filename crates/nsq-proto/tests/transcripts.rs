//! What a client sends and what becomes of it, by the protocol description. Every script is fed
//! whole, in halves and byte by byte.

mod script;

use nsq_proto::{Admission, ClientState, Limits};
use script::{SMALL, run};

const INIT: Admission = Admission {
    state: ClientState::Init,
    heartbeats: true,
    tls_required_unmet: false,
    announces_batches: false,
};
const SUBSCRIBED: Admission = Admission { state: ClientState::Subscribed, ..INIT };
const CLOSING: Admission = Admission { state: ClientState::Closing, ..INIT };

/// What comes out when `input` arrives whole, byte by byte or in halves; all must agree.
fn run_all(limits: Limits, admission: Admission, input: &[u8]) -> Vec<String> {
    let whole = run(limits, admission, input, [], false);
    for heed_hints in [false, true] {
        let bytewise = run(limits, admission, input, 0..input.len(), heed_hints);
        assert_eq!(bytewise, whole, "byte by byte: {}", input.escape_ascii());
        for cut in 0..input.len().min(200) {
            let halves = run(limits, admission, input, [cut], heed_hints);
            assert_eq!(halves, whole, "cut at {cut}: {}", input.escape_ascii());
        }
    }
    whole
}

#[track_caller]
fn check(admission: Admission, input: &[u8], expected: &[&str]) {
    assert_eq!(run_all(SMALL, admission, input), expected, "{}", input.escape_ascii());
}

#[track_caller]
fn check_each(admission: Admission, cases: &[(&[u8], &str)]) {
    for (input, expected) in cases {
        check(admission, input, &[expected]);
    }
}

#[test]
fn a_whole_conversation() {
    check(
        INIT,
        b"IDENTIFY\n\0\0\0\x02{}AUTH\n\0\0\0\x01sPUB x\n\0\0\0\x01aPUB x\n\0\0\0\x02bcNOP\n\
          SUB t c\nRDY 5\nFIN 0123456789abcdef\nREQ 0123456789abcdef 90\nTOUCH 0123456789abcdef\n\
          DPUB x 10\n\0\0\0\x01dMPUB x\n\0\0\0\x0e\0\0\0\x02\0\0\0\x01e\0\0\0\x01f\
          MPUB x\n\0\0\0\x09\0\0\0\x01\0\0\0\x01gPUB x\n\0\0\0\x01hCLS\nRDY nonsense\n\
          FIN fedcba9876543210\nPUB x\n\0\0\0\x01i",
        &[
            "IDENTIFY {}",
            "AUTH s",
            "PUB x [a]",
            "PUB x [bc]",
            "NOP",
            "SUB t c",
            "RDY 5",
            "FIN 0123456789abcdef",
            "REQ 0123456789abcdef 90",
            "TOUCH 0123456789abcdef",
            "DPUB x 10 [d]",
            "MPUB x 2 [e] [f]",
            "MPUB x 1 [g]",
            "PUB x [h]",
            "CLS",
            "NOP",
            "FIN fedcba9876543210",
            "PUB x [i]",
        ],
    );
}

#[test]
fn publish_of_the_test_vectors() {
    check(INIT, b"\x50\x55\x42\x20\x78\x0a\x00\x00\x00\x01\x61", &["PUB x [a]"]);
}

#[test]
fn commands_by_state() {
    let anywhere: &[&[u8]] = &[b"PUB x\n\0\0\0\x01a", b"NOP\n"];
    for admission in [INIT, SUBSCRIBED, CLOSING] {
        for input in anywhere {
            assert_eq!(run_all(SMALL, admission, input).len(), 1);
            assert!(!run_all(SMALL, admission, input)[0].starts_with("E_"));
        }
    }
    // Wrong state comes before missing parameters and leaves bodies unread.
    let misplaced = |admission, verb: &str, rest: &str| {
        let input = format!("{verb}{rest}\n");
        let expected = format!("E_INVALID cannot {verb} in current state");
        check(admission, input.as_bytes(), &[&expected]);
    };
    for rest in ["", " 0123456789abcdef 1", " !"] {
        for verb in ["RDY", "FIN", "REQ", "TOUCH", "CLS"] {
            misplaced(INIT, verb, rest);
        }
        for verb in ["IDENTIFY", "AUTH", "SUB"] {
            misplaced(SUBSCRIBED, verb, rest);
            misplaced(CLOSING, verb, rest);
        }
        misplaced(CLOSING, "CLS", rest);
    }
    check(SUBSCRIBED, b"CLS\nCLS\n", &["CLS", "E_INVALID cannot CLS in current state"]);
    check(CLOSING, b"RDY\nRDY 99999\nRDY x\n", &["NOP", "NOP", "NOP"]);
    check(CLOSING, b"REQ 0123456789abcdef 1\n", &["REQ 0123456789abcdef 1"]);
    check(CLOSING, b"TOUCH 0123456789abcdef\n", &["TOUCH 0123456789abcdef"]);
}

#[test]
fn tls_required() {
    let plain = |state| Admission { state, tls_required_unmet: true, ..INIT };
    for state in [ClientState::Init, ClientState::Subscribed, ClientState::Closing] {
        let error = |word: &str| format!("E_INVALID cannot {word} in current state (TLS required)");
        check(plain(state), b"NOP\n", &[&error("NOP")]);
        check(plain(state), b"\n", &[&error("")]);
        check(plain(state), b"bogus x\n", &[&error("bogus")]);
        check(plain(state), b"\xff\n", &[&error("\\xff")]);
        check(plain(state), b"FIN 0123456789abcdef\n", &[&error("FIN")]);
        check(plain(state), b"PUB x\n\0\0\0\x01a", &[&error("PUB")]);
    }
    check(plain(ClientState::Init), b"IDENTIFY\n\0\0\0\x02{}", &["IDENTIFY {}"]);
    let misplaced = "E_INVALID cannot IDENTIFY in current state";
    check(plain(ClientState::Subscribed), b"IDENTIFY\n", &[misplaced]);
}

#[test]
fn lines() {
    check(INIT, b"NOP\r\nNOP x y\nNOP \n", &["NOP", "NOP", "NOP"]);
    check(INIT, b"NOP", &[]);
    check(INIT, b"", &[]);
    check_each(
        INIT,
        &[
            (b"\n", "E_INVALID invalid command "),
            (b"\r\n", "E_INVALID invalid command "),
            (b" NOP\n", "E_INVALID invalid command "),
            (b"nop\n", "E_INVALID invalid command nop"),
            (b"NOP\tx\n", "E_INVALID invalid command NOP\\tx"),
            (b"NOP\r\r\n", "E_INVALID invalid command NOP\\r"),
            (b"SUB\r\r\n", "E_INVALID invalid command SUB\\r"),
            (b"\xff\xfe x\n", "E_INVALID invalid command \\xff\\xfe"),
            (b"\0\n", "E_INVALID invalid command \\x00"),
            (b"SUB  b\n", r#"E_BAD_TOPIC SUB topic name \"\" is not valid"#),
            (b"SUB a b c d\n", "SUB a b"),
            (b"PUB x surplus\n\0\0\0\x01a", "PUB x [a]"),
            (b"PUB x\r\n\0\0\0\x01a", "PUB x [a]"),
        ],
    );
}

#[test]
fn line_length() {
    let line = |length: usize| [b"NOP ".as_slice(), &vec![b'x'; length - 5], b"\n"].concat();
    assert_eq!(run_all(SMALL, INIT, &line(16384)), ["NOP"]);
    assert_eq!(run_all(SMALL, INIT, &line(16385)), ["closed"]);
    // Known to be too long before the end is seen.
    assert_eq!(run_all(SMALL, INIT, &line(16385)[..16384]), ["closed"]);
    assert_eq!(run_all(SMALL, INIT, &line(16385)[..16383]), Vec::<String>::new());
}

#[test]
fn identify_bodies() {
    check_each(
        INIT,
        &[
            (b"IDENTIFY x y\n\0\0\0\x02{}", "IDENTIFY {}"),
            (b"IDENTIFY\n", "end: E_BAD_BODY IDENTIFY failed to read body size"),
            (b"IDENTIFY\n\0\0\0", "end: E_BAD_BODY IDENTIFY failed to read body size"),
            (b"IDENTIFY\n\0\0\0\x37", "E_BAD_BODY IDENTIFY body too big 55 > 54"),
            (b"IDENTIFY\n\0\0\0\0", "E_BAD_BODY IDENTIFY invalid body size 0"),
            (b"IDENTIFY\n\xff\xff\xff\xff", "E_BAD_BODY IDENTIFY invalid body size -1"),
            (b"IDENTIFY\n\x80\0\0\0", "E_BAD_BODY IDENTIFY invalid body size -2147483648"),
            (b"IDENTIFY\n\0\0\0\x36{", "end: E_BAD_BODY IDENTIFY failed to read body"),
        ],
    );
    let body = "x".repeat(54);
    let input = format!("IDENTIFY\n\0\0\0\x36{body}");
    check(INIT, input.as_bytes(), &[&format!("IDENTIFY {body}")]);
}

#[test]
fn auth_bodies() {
    check_each(
        INIT,
        &[
            (b"AUTH x\n", "E_INVALID AUTH invalid number of parameters"),
            (b"AUTH \n", "E_INVALID AUTH invalid number of parameters"),
            (b"AUTH\n\0", "end: E_BAD_BODY AUTH failed to read body size"),
            (b"AUTH\n\0\0\0\x37", "E_BAD_BODY AUTH body too big 55 > 54"),
            (b"AUTH\n\0\0\0\0", "E_BAD_BODY AUTH invalid body size 0"),
            (b"AUTH\n\xff\xff\xff\xff", "E_BAD_BODY AUTH invalid body size -1"),
            (b"AUTH\n\0\0\0\x01", "end: E_BAD_BODY AUTH failed to read body"),
            (b"AUTH\n\0\0\0\x03\0\xff\n", "AUTH \\x00\\xff\\n"),
        ],
    );
}

#[test]
fn subscribing() {
    let silent = Admission { heartbeats: false, ..INIT };
    check(silent, b"SUB\n", &["E_INVALID cannot SUB with heartbeats disabled"]);
    check_each(
        INIT,
        &[
            (b"SUB\n", "E_INVALID SUB insufficient number of parameters"),
            (b"SUB !\n", "E_INVALID SUB insufficient number of parameters"),
            (b"SUB a! b!\n", r#"E_BAD_TOPIC SUB topic name \"a!\" is not valid"#),
            (b"SUB a b!\n", r#"E_BAD_CHANNEL SUB channel name \"b!\" is not valid"#),
            (b"SUB a \n", r#"E_BAD_CHANNEL SUB channel name \"\" is not valid"#),
            (b"SUB t#ephemeral c#ephemeral\n", "SUB t#ephemeral c#ephemeral"),
        ],
    );
}

#[test]
fn publishing() {
    check_each(
        INIT,
        &[
            (b"PUB\n", "E_INVALID PUB insufficient number of parameters"),
            (b"PUB \n", r#"E_BAD_TOPIC PUB topic name \"\" is not valid"#),
            (b"PUB a!\n", r#"E_BAD_TOPIC PUB topic name \"a!\" is not valid"#),
            (b"PUB a\xff\n", r#"E_BAD_TOPIC PUB topic name \"a\\xff\" is not valid"#),
            (b"PUB x\n", "end: E_BAD_MESSAGE PUB failed to read message body size"),
            (b"PUB x\n\0\0\0", "end: E_BAD_MESSAGE PUB failed to read message body size"),
            (b"PUB x\n\0\0\0\0", "E_BAD_MESSAGE PUB invalid message body size 0"),
            (b"PUB x\n\xff\xff\xff\xff", "E_BAD_MESSAGE PUB invalid message body size -1"),
            (b"PUB x\n\0\0\0\x15", "E_BAD_MESSAGE PUB message too big 21 > 20"),
            (b"PUB x\n\0\0\0\x14a", "end: E_BAD_MESSAGE PUB failed to read message body"),
            (b"PUB x\n\0\0\0\x01\n", "PUB x [\\n]"),
        ],
    );
    // The same errors where the topic is known already.
    check(
        INIT,
        b"PUB x\n\0\0\0\x01aPUB x\n\0\0\0\x15",
        &["PUB x [a]", "E_BAD_MESSAGE PUB message too big 21 > 20"],
    );
    check(
        INIT,
        b"PUB x\n\0\0\0\x01aPUB x\n\0\0\0\x02b",
        &["PUB x [a]", "end: E_BAD_MESSAGE PUB failed to read message body"],
    );
}

#[test]
fn publishing_to_changing_topics() {
    check(
        INIT,
        b"PUB x\n\0\0\0\x01aPUB xy\n\0\0\0\x01bPUB x\n\0\0\0\x01cDPUB y 0\n\0\0\0\x01d\
          PUB y\n\0\0\0\x01eMPUB y\n\0\0\0\x09\0\0\0\x01\0\0\0\x01fPUB y\n\0\0\0\x01gPUB y!\n",
        &[
            "PUB x [a]",
            "PUB xy [b]",
            "PUB x [c]",
            "DPUB y 0 [d]",
            "PUB y [e]",
            "MPUB y 1 [f]",
            "PUB y [g]",
            r#"E_BAD_TOPIC PUB topic name \"y!\" is not valid"#,
        ],
    );
}

#[test]
fn deferred_publishing() {
    check_each(
        INIT,
        &[
            (b"DPUB\n", "E_INVALID DPUB insufficient number of parameters"),
            (b"DPUB a!\n", "E_INVALID DPUB insufficient number of parameters"),
            (b"DPUB a! x\n", r#"E_BAD_TOPIC DPUB topic name \"a!\" is not valid"#),
            (b"DPUB x -1\n", "E_INVALID DPUB could not parse timeout -1"),
            (b"DPUB x 1.5\n", "E_INVALID DPUB could not parse timeout 1.5"),
            (b"DPUB x 3600001\n", "E_INVALID DPUB timeout 3600001 out of range 0-3600000"),
            (
                b"DPUB x 18446744073709551615\n",
                "E_INVALID DPUB timeout 18446744073709551615 out of range 0-3600000",
            ),
            (
                b"DPUB x 18446744073710\n",
                "E_INVALID DPUB timeout 18446744073710 out of range 0-3600000",
            ),
            (b"DPUB x 3600000\n\0\0\0\x01a", "DPUB x 3600000 [a]"),
            (b"DPUB x \n\0\0\0\x01a", "DPUB x 0 [a]"),
            (b"DPUB x 1\n\0", "end: E_BAD_MESSAGE DPUB failed to read message body size"),
            (b"DPUB x 1\n\0\0\0\0", "E_BAD_MESSAGE DPUB invalid message body size 0"),
            (b"DPUB x 1\n\x80\0\0\0", "E_BAD_MESSAGE DPUB invalid message body size -2147483648"),
            (b"DPUB x 1\n\x7f\xff\xff\xff", "E_BAD_MESSAGE DPUB message too big 2147483647 > 20"),
            (b"DPUB x 1\n\0\0\0\x02a", "end: E_BAD_MESSAGE DPUB failed to read message body"),
        ],
    );
}

#[test]
fn batch_headers() {
    check_each(
        INIT,
        &[
            (b"MPUB\n", "E_INVALID MPUB insufficient number of parameters"),
            (b"MPUB a!\n", r#"E_BAD_TOPIC E_BAD_TOPIC MPUB topic name \"a!\" is not valid"#),
            (b"MPUB x\n\0\0\0", "end: E_BAD_BODY MPUB failed to read body size"),
            (b"MPUB x\n\0\0\0\0", "E_BAD_BODY MPUB invalid body size 0"),
            (b"MPUB x\n\xff\xff\xff\xff", "E_BAD_BODY MPUB invalid body size -1"),
            (b"MPUB x\n\0\0\0\x37", "E_BAD_BODY MPUB body too big 55 > 54"),
            (b"MPUB x\n\0\0\0\x36\0\0\0", "end: E_BAD_BODY MPUB failed to read message count"),
            (b"MPUB x\n\0\0\0\x36\0\0\0\0", "E_BAD_BODY MPUB invalid message count 0"),
            (b"MPUB x\n\0\0\0\x36\xff\xff\xff\xff", "E_BAD_BODY MPUB invalid message count -1"),
            // floor((54 - 4) / 5) = 10
            (b"MPUB x\n\0\0\0\x36\0\0\0\x0b", "E_BAD_BODY MPUB invalid message count 11"),
            (
                b"MPUB x\n\0\0\0\x36\x7f\xff\xff\xff",
                "E_BAD_BODY MPUB invalid message count 2147483647",
            ),
            (
                b"MPUB x\n\0\0\0\x36\0\0\0\x0a",
                "end: E_BAD_MESSAGE MPUB failed to read message(0) body size",
            ),
        ],
    );
}

#[test]
fn batches_are_announced_before_their_body() {
    let admission = Admission { announces_batches: true, ..INIT };
    let whole = b"MPUB x\n\0\0\0\x0e\0\0\0\x02\0\0\0\x01a\0\0\0\x01b";
    let single = b"PUB x\n\0\0\0\x01c";
    check(
        admission,
        &[&whole[..], whole, single, whole].concat(),
        &[
            "MPUB x ...",
            "MPUB x 2 [a] [b]",
            "MPUB x ...",
            "MPUB x 2 [a] [b]",
            "PUB x [c]",
            "MPUB x ...",
            "MPUB x 2 [a] [b]",
        ],
    );
    for (rest, expected) in [
        (&b""[..], "end: E_BAD_BODY MPUB failed to read body size"),
        (b"\0\0\0\0", "E_BAD_BODY MPUB invalid body size 0"),
    ] {
        check(admission, &[b"MPUB x\n", rest].concat(), &["MPUB x ...", expected]);
    }
    check(admission, b"MPUB\n", &["E_INVALID MPUB insufficient number of parameters"]);
    check(
        admission,
        b"MPUB a!\n",
        &[r#"E_BAD_TOPIC E_BAD_TOPIC MPUB topic name \"a!\" is not valid"#],
    );
}

#[test]
fn batch_messages() {
    let batch = |rest: &[u8]| [b"MPUB x\n\0\0\0\x36\0\0\0\x03", rest].concat();
    let one = b"\0\0\0\x01a";
    for (rest, expected) in [
        (&b"\0\0\0"[..], "end: E_BAD_MESSAGE MPUB failed to read message(0) body size"),
        (b"\0\0\0\0", "E_BAD_MESSAGE MPUB invalid message(0) body size 0"),
        (b"\xff\xff\xff\xfe", "E_BAD_MESSAGE MPUB invalid message(0) body size -2"),
        (b"\0\0\0\x15", "E_BAD_MESSAGE MPUB message too big 21 > 20"),
        (b"\0\0\0\x14a", "end: E_BAD_MESSAGE MPUB failed to read message body"),
    ] {
        check(INIT, &batch(rest), &[expected]);
        let later = expected.replace("(0)", "(1)");
        check(INIT, &batch(&[one, rest].concat()), &[&later]);
        let last = expected.replace("(0)", "(2)");
        check(INIT, &batch(&[one, one, rest].concat()), &[&last]);
    }
}

#[test]
fn declared_batch_size_is_not_believed() {
    for declared in [1, 9, 14, 54] {
        let input =
            [b"MPUB x\n\0\0\0", &[declared][..], b"\0\0\0\x02\0\0\0\x01a\0\0\0\x01bNOP\n"].concat();
        check(INIT, &input, &["MPUB x 2 [a] [b]", "NOP"]);
    }
}

#[test]
fn batches_are_bounded_by_their_real_size() {
    let body = |length: u8| [&[0, 0, 0, length][..], &vec![b'x'; length.into()]].concat();
    let start = b"MPUB x\n\0\0\0\x01\0\0\0\x03";
    let x = |length| "x".repeat(length);
    // 4 + (4 + 20) + (4 + 12) + (4 + 6) = 54
    let fits = [&start[..], &body(20), &body(12), &body(6)].concat();
    check(INIT, &fits, &[&format!("MPUB x 3 [{}] [{}] [{}]", x(20), x(12), x(6))]);
    let error = "E_BAD_BODY MPUB body too big 55 > 54";
    let exceeds = [&start[..], &body(20), &body(12), &body(7)].concat();
    check(INIT, &exceeds, &[error]);
    // Told as soon as the size is there.
    check(INIT, &exceeds[..exceeds.len() - 7], &[error]);
}

#[test]
fn ready_counts() {
    check_each(
        SUBSCRIBED,
        &[
            (b"RDY\n", "RDY 1"),
            (b"RDY \n", "RDY 0"),
            (b"RDY 0\n", "RDY 0"),
            (b"RDY 2500 x\n", "RDY 2500"),
            (b"RDY 2501\n", "E_INVALID RDY count 2501 out of range 0-2500"),
            (b"RDY abc\n", "E_INVALID RDY could not parse count abc"),
            (b"RDY -1\n", "E_INVALID RDY could not parse count -1"),
            (b"RDY \xff\n", "E_INVALID RDY could not parse count \\xff"),
            (b"RDY 18446744073709551616\n", "RDY 0"),
            (
                b"RDY 9223372036854775808\n",
                "E_INVALID RDY count -9223372036854775808 out of range 0-2500",
            ),
            (b"RDY 4294967296\n", "E_INVALID RDY count 4294967296 out of range 0-2500"),
        ],
    );
}

#[test]
fn answers() {
    for verb in ["FIN", "REQ", "TOUCH"] {
        let with = |rest: &str| format!("{verb}{rest}\n").into_bytes();
        let missing = format!("E_INVALID {verb} insufficient number of params");
        check(SUBSCRIBED, &with(""), &[&missing]);
        for id in ["", "x", "0123456789abcde", "0123456789abcdef0", "01234567 9abcdef"] {
            let input = with(&format!(" {id} x"));
            check(SUBSCRIBED, &input, &["E_INVALID invalid message ID"]);
        }
    }
    check_each(
        SUBSCRIBED,
        &[
            (b"REQ 0123456789abcdef\n", "E_INVALID REQ insufficient number of params"),
            (b"REQ x abc\n", "E_INVALID invalid message ID"),
            (b"REQ 0123456789abcdef abc\n", "E_INVALID REQ could not parse timeout abc"),
            (b"REQ 0123456789abcdef -1\n", "E_INVALID REQ could not parse timeout -1"),
            (b"REQ 0123456789abcdef \n", "REQ 0123456789abcdef 0"),
            (b"REQ 0123456789abcdef 7 x\n", "REQ 0123456789abcdef 7"),
            (
                b"REQ 0123456789abcdef 99999999999999999999999\n",
                "REQ 0123456789abcdef 18446744073709551615",
            ),
            (b"FIN 0123456789abcdef\r\n", "FIN 0123456789abcdef"),
            (b"FIN 0123456789abcdef x\n", "FIN 0123456789abcdef"),
            (b"FIN 0123456789abcde\r\n", "E_INVALID invalid message ID"),
            (b"FIN 0123456789abcde\r\r\n", "FIN 0123456789abcde\\r"),
            (b"FIN \xff\0\x01345\t789abcdef\n", "FIN \\xff\\x00\\x01345\\t789abcdef"),
            (b"FIN 01234567\n9abcdef\n", "E_INVALID invalid message ID"),
            (b"TOUCH \x80123456789abcdef\n", "TOUCH \\x80123456789abcdef"),
        ],
    );
}

#[test]
fn limits_of_the_default_daemon() {
    for (input, expected) in [
        (&b"PUB x\n\0\x10\0\x01"[..], "E_BAD_MESSAGE PUB message too big 1048577 > 1048576"),
        (b"IDENTIFY\n\0\x50\0\x01", "E_BAD_BODY IDENTIFY body too big 5242881 > 5242880"),
        (b"AUTH\n\0\x50\0\x01", "E_BAD_BODY AUTH body too big 5242881 > 5242880"),
        (b"MPUB x\n\0\x50\0\x01", "E_BAD_BODY MPUB body too big 5242881 > 5242880"),
        (b"MPUB x\n\0\x50\0\0\0\x10\0\0", "E_BAD_BODY MPUB invalid message count 1048576"),
        (
            b"MPUB x\n\0\x50\0\0\0\x0f\xff\xff\0\x10\0\x01",
            "E_BAD_MESSAGE MPUB message too big 1048577 > 1048576",
        ),
    ] {
        assert_eq!(run_all(Limits::default(), INIT, input), [expected]);
    }
}

#[test]
fn hints_tell_how_much_is_missing() {
    let mut decoder = nsq_proto::Decoder::new(Limits::default());
    for (input, expected) in [
        (&b""[..], 1),
        (b"PU", 3),
        (b"PUB x\n", 10),
        (b"PUB x\n\0\0", 10),
        (b"PUB x\n\0\x10\0\0", 10 + 1048576),
        (b"PUB x\n\0\x10\0\0abc", 10 + 1048576),
    ] {
        let decoded = decoder.next(input, &INIT);
        assert_eq!(decoded, Ok(nsq_proto::Decoded::Incomplete { at_least: expected }));
    }
}

#[test]
fn no_words_while_waiting_for_a_line() {
    for input in [&b""[..], b"PU", b"PUB x\n\0\0\0\x01a", b"PUB x\n\0\0\0\x01aPUB x"] {
        let lines = run(SMALL, INIT, input, [], false);
        assert!(lines.iter().all(|line| !line.starts_with("end:")), "{lines:?}");
    }
}
