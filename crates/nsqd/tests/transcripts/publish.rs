//! tcp-protocol.md §9 and §10: names, PUB, MPUB, DPUB.

use crate::support::{
    Client, Daemon, Frame, deferred, is_original, publish, publish_many, with_size,
};

/// `<line>\n` and words of 32 bits.
fn line_and_words(line: &str, words: &[i32]) -> Vec<u8> {
    let words = words.iter().flat_map(|word| word.to_be_bytes());
    line.bytes().chain([b'\n']).chain(words).collect()
}

#[test]
fn pub_refusals() {
    let daemon = Daemon::start(&[]);
    daemon.refuses("PUB\n", "E_INVALID PUB insufficient number of parameters");
    daemon.refuses("PUB a!\n", "E_BAD_TOPIC PUB topic name \"a!\" is not valid");
    let sizes = [
        (0, "PUB invalid message body size 0"),
        (-1, "PUB invalid message body size -1"),
        (i32::MIN, "PUB invalid message body size -2147483648"),
        (1_048_577, "PUB message too big 1048577 > 1048576"),
        (i32::MAX, "PUB message too big 2147483647 > 1048576"),
    ];
    for (size, error) in sizes {
        daemon.refuses(line_and_words("PUB t", &[size]), format!("E_BAD_MESSAGE {error}"));
    }
    for input in ["PUB t\n", "PUB t\n\0", "PUB t\n\0\0\0"] {
        daemon.refuses_at_end(input, "E_BAD_MESSAGE PUB failed to read message body size");
    }
    for input in ["PUB t\n\0\0\0\x02", "PUB t\n\0\0\0\x02a", "PUB t\n\0\x10\0\0abc"] {
        daemon.refuses_at_end(input, "E_BAD_MESSAGE PUB failed to read message body");
    }
    // The topic is created only when everything is right.
    assert!(daemon.topic("t").is_null());
}

#[test]
fn dpub_refusals() {
    let daemon = Daemon::start(&[]);
    let lines = [
        ("DPUB\n", "E_INVALID DPUB insufficient number of parameters"),
        ("DPUB t\n", "E_INVALID DPUB insufficient number of parameters"),
        ("DPUB a!\n", "E_INVALID DPUB insufficient number of parameters"),
        ("DPUB a! x\n", "E_BAD_TOPIC DPUB topic name \"a!\" is not valid"),
        ("DPUB t x\n", "E_INVALID DPUB could not parse timeout x"),
        ("DPUB t -1\n", "E_INVALID DPUB could not parse timeout -1"),
        ("DPUB t +1\n", "E_INVALID DPUB could not parse timeout +1"),
        ("DPUB t 1.5\n", "E_INVALID DPUB could not parse timeout 1.5"),
        ("DPUB t 3600001\n", "E_INVALID DPUB timeout 3600001 out of range 0-3600000"),
    ];
    for (line, error) in lines {
        daemon.refuses(line, error);
    }
    let sizes = [
        (0, "DPUB invalid message body size 0"),
        (-1, "DPUB invalid message body size -1"),
        (1_048_577, "DPUB message too big 1048577 > 1048576"),
    ];
    for (size, error) in sizes {
        daemon.refuses(line_and_words("DPUB t 1", &[size]), format!("E_BAD_MESSAGE {error}"));
    }
    let size = "E_BAD_MESSAGE DPUB failed to read message body size";
    daemon.refuses_at_end("DPUB t 1\n", size);
    let body = "E_BAD_MESSAGE DPUB failed to read message body";
    daemon.refuses_at_end("DPUB t 1\n\0\0\0\x02a", body);
    assert!(daemon.topic("t").is_null());
}

#[test]
fn dpub_numbers() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    // The empty number is 0, which is not deferred; the limit itself is accepted.
    for delay in ["", "0", "000", "3600000"] {
        client.send([format!("DPUB t {delay}\n").into_bytes(), with_size("a")].concat());
        client.expect_ok();
    }
    let mut consumer = daemon.consumer("t", "c");
    consumer.ready(10);
    assert_eq!(consumer.expect_bodies(3), ["a", "a", "a"]);
    consumer.expect_nothing();
    assert_eq!(daemon.channel_number("t", "c", "deferred_count"), 1);
    // A number that wraps around in the original is out of range here.
    if !is_original() {
        let error = "E_INVALID DPUB timeout 18446744073710 out of range 0-3600000";
        daemon.refuses("DPUB t 18446744073710\n", error);
    }
}

#[test]
fn mpub_refusals() {
    let daemon = Daemon::start(&[]);
    daemon.refuses("MPUB\n", "E_INVALID MPUB insufficient number of parameters");
    // The code really comes twice.
    daemon.refuses("MPUB a!\n", "E_BAD_TOPIC E_BAD_TOPIC MPUB topic name \"a!\" is not valid");
    let cases: [(&[i32], &str); 13] = [
        (&[0], "E_BAD_BODY MPUB invalid body size 0"),
        (&[-1], "E_BAD_BODY MPUB invalid body size -1"),
        (&[5_242_881], "E_BAD_BODY MPUB body too big 5242881 > 5242880"),
        (&[i32::MAX], "E_BAD_BODY MPUB body too big 2147483647 > 5242880"),
        (&[20, 0], "E_BAD_BODY MPUB invalid message count 0"),
        (&[20, -1], "E_BAD_BODY MPUB invalid message count -1"),
        (&[20, 1_048_576], "E_BAD_BODY MPUB invalid message count 1048576"),
        (&[20, i32::MAX], "E_BAD_BODY MPUB invalid message count 2147483647"),
        (&[20, 2, 0], "E_BAD_MESSAGE MPUB invalid message(0) body size 0"),
        (&[20, 2, -7], "E_BAD_MESSAGE MPUB invalid message(0) body size -7"),
        (&[20, 2, 4, 0, 0], "E_BAD_MESSAGE MPUB invalid message(1) body size 0"),
        (&[20, 2, 1_048_577], "E_BAD_MESSAGE MPUB message too big 1048577 > 1048576"),
        (&[20, 3, 4, 0, 4, 0, -1], "E_BAD_MESSAGE MPUB invalid message(2) body size -1"),
    ];
    for (words, error) in cases {
        daemon.refuses(line_and_words("MPUB t", words), error);
    }
    let cases: [(&[i32], &str); 7] = [
        (&[], "E_BAD_BODY MPUB failed to read body size"),
        (&[20], "E_BAD_BODY MPUB failed to read message count"),
        (&[20, 1_048_575], "E_BAD_MESSAGE MPUB failed to read message(0) body size"),
        (&[20, 2], "E_BAD_MESSAGE MPUB failed to read message(0) body size"),
        (&[20, 2, 5], "E_BAD_MESSAGE MPUB failed to read message body"),
        (&[20, 2, 5, 0], "E_BAD_MESSAGE MPUB failed to read message body"),
        (&[20, 2, 4, 0], "E_BAD_MESSAGE MPUB failed to read message(1) body size"),
    ];
    for (words, error) in cases {
        daemon.refuses_at_end(line_and_words("MPUB t", words), error);
    }
    daemon.refuses_at_end("MPUB t\n\0\0", "E_BAD_BODY MPUB failed to read body size");
    let (declared, count) = (20_i32.to_be_bytes(), b"\0\0");
    let input = [b"MPUB t\n", &declared[..], count].concat();
    daemon.refuses_at_end(input, "E_BAD_BODY MPUB failed to read message count");
    // Good messages in front of a bad one were not published.
    let topic = daemon.topic("t");
    assert!(topic.is_null() || topic["message_count"] == 0, "{topic}");
}

#[test]
fn one_bad_message_keeps_the_others_out() {
    let daemon = Daemon::start(&[]);
    daemon.publish("t", "before");
    let two_good_one_bad =
        [&line_and_words("MPUB t", &[30, 3])[..], b"\0\0\0\x01a\0\0\0\x01b\0\0\0\0"].concat();
    let error = "E_BAD_MESSAGE MPUB invalid message(2) body size 0";
    daemon.refuses(two_good_one_bad, error);
    let mut client = daemon.client();
    client.send(publish_many("t", &["x", "y"]));
    client.expect_ok();
    let topic = daemon.topic("t");
    assert_eq!((&topic["message_count"], &topic["message_bytes"]), (&3.into(), &8.into()));
    let mut consumer = daemon.consumer("t", "c");
    consumer.ready(10);
    assert_eq!(consumer.expect_bodies(3), ["before", "x", "y"]);
}

#[test]
fn a_wrong_declared_size_of_mpub_is_accepted() {
    let daemon = Daemon::start(&[]);
    for declared in [1, 13, 14, 15, 100, 5_242_880] {
        let head = line_and_words("MPUB t", &[declared, 2]);
        let mut client = daemon.client();
        client.send([&head[..], b"\0\0\0\x01a\0\0\0\x01b", b"NOP\n", &publish("t", "c")].concat());
        client.expect_ok();
        client.expect_ok();
    }
    assert_eq!(daemon.topic("t")["message_count"], 18);
}

#[test]
fn the_messages_of_mpub_are_bounded_together() {
    // In the original only the declared size is, which bounds nothing.
    let daemon = Daemon::start(&["--max-body-size=1000"]);
    let body = "x".repeat(100);
    let fits = publish_many("t", &[&body; 9]);
    // Declared as 100; together with the count these are 1044.
    let mut lies = publish_many("t", &[&body; 10]);
    lies["MPUB t\n".len()..][..4].copy_from_slice(&100_i32.to_be_bytes());
    let mut client = daemon.client();
    client.send(fits);
    client.expect_ok();
    client.send(lies);
    if is_original() {
        client.expect_ok();
        return;
    }
    client.expect_last_error("E_BAD_BODY MPUB body too big 1044 > 1000");
    assert_eq!(daemon.topic("t")["message_count"], 9);
}

#[test]
fn what_came_before_a_fatal_error_counts() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.send([publish("t", "a"), publish("t", "b"), b"PUB a!\n".to_vec()].concat());
    client.expect_ok();
    client.expect_ok();
    client.expect_last_error("E_BAD_TOPIC PUB topic name \"a!\" is not valid");
    assert_eq!(daemon.topic("t")["message_count"], 2);
}

#[test]
fn largest_message() {
    let daemon = Daemon::start(&["--max-msg-size=1000", "--max-body-size=3000"]);
    let mut client = daemon.client();
    let largest = "x".repeat(1000);
    client.send(publish("t", &largest));
    client.expect_ok();
    client.send(deferred("t", 0, &largest));
    client.expect_ok();
    client.send(publish_many("t", &[&largest, &largest]));
    client.expect_ok();
    let mut consumer = daemon.consumer("t", "c");
    consumer.ready(4);
    assert!(consumer.expect_bodies(4).iter().all(|body| *body == largest));
    let too_large = publish("t", "x".repeat(1001));
    daemon.refuses(too_large, "E_BAD_MESSAGE PUB message too big 1001 > 1000");
    let words = [4, 1, 1001];
    let error = "E_BAD_MESSAGE MPUB message too big 1001 > 1000";
    daemon.refuses(line_and_words("MPUB t", &words), error);
    let error = "E_BAD_BODY MPUB body too big 3001 > 3000";
    daemon.refuses(line_and_words("MPUB t", &[3001]), error);
    // (3000 - 4) / 5
    let error = "E_BAD_BODY MPUB invalid message count 600";
    daemon.refuses(line_and_words("MPUB t", &[8, 600]), error);
}

#[test]
fn an_error_reaches_a_client_that_goes_on_sending() {
    // The original closes at once, and the reset may destroy the frame.
    let daemon = Daemon::start(&[]);
    if is_original() {
        return;
    }
    let mut client = daemon.client();
    client.send([line_and_words("PUB t", &[1_048_577]), vec![b'x'; 1_048_577]].concat());
    client.expect_last_error("E_BAD_MESSAGE PUB message too big 1048577 > 1048576");
}

#[track_caller]
fn answer_to(client: &mut Client, name: &[u8]) -> Frame {
    client.send([b"PUB ", name, b"\n", &with_size("a")].concat());
    client.next_frame().expect("an answer")
}

#[test]
fn names() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let long = "n".repeat(64);
    let long_ephemeral = format!("{}#ephemeral", "n".repeat(54));
    for name in
        ["a", ".", "..", "-", "_", "A.b-C_9", "a#ephemeral", ".#ephemeral", &long, &long_ephemeral]
    {
        assert_eq!(answer_to(&mut client, name.as_bytes()), Frame::response("OK"), "{name}");
        assert_eq!(daemon.topic(name)["topic_name"], name);
    }
    // The name, and how the error quotes it.
    let (too_long, too_long_ephemeral) = ("n".repeat(65), format!("n{long_ephemeral}"));
    let refused: [(&[u8], &str); 21] = [
        (too_long.as_bytes(), &too_long),
        (too_long_ephemeral.as_bytes(), &too_long_ephemeral),
        (b"#ephemeral", "#ephemeral"),
        (b"a#ephemera", "a#ephemera"),
        (b"a#ephemeral#ephemeral", "a#ephemeral#ephemeral"),
        (b"a#Ephemeral", "a#Ephemeral"),
        (b"a#", "a#"),
        (b"a/b", "a/b"),
        (b"a:b", "a:b"),
        (b"a*", "a*"),
        (b"a\tb", r"a\tb"),
        (b"a\x07\x08\x0c\x0bb", r"a\a\b\f\vb"),
        (b"a\rb", r"a\rb"),
        ("é".as_bytes(), "é"),
        ("日本".as_bytes(), "日本"),
        (b"a\xff", r"a\xff"),
        (b"a\"b", "a\\\"b"),
        (b"a\\b", r"a\\b"),
        (b"a\0b", r"a\x00b"),
        (b"a\x7fb", r"a\x7fb"),
        ("a\u{200b}b".as_bytes(), r"a\u200bb"),
    ];
    for (name, quoted) in refused {
        let input = [b"PUB ", name, b"\n"].concat();
        daemon.refuses(input, format!("E_BAD_TOPIC PUB topic name \"{quoted}\" is not valid"));
        let input = [b"SUB t ", name, b"\n"].concat();
        let error = format!("E_BAD_CHANNEL SUB channel name \"{quoted}\" is not valid");
        daemon.refuses(input, error);
    }
}
