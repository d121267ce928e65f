//! The TCP protocol V1.

use crate::support::{Client, Daemon, is_original, with_size};

const BODY: &str =
    r#"{"broadcast_address":"a","hostname":"h","tcp_port":1,"http_port":2,"version":"v"}"#;

fn identify(body: &str) -> Vec<u8> {
    [b"IDENTIFY\n".as_slice(), &with_size(body)].concat()
}

#[test]
fn only_its_own_magic() {
    let daemon = Daemon::start(&[]);
    for magic in ["  V2", "GET ", "\r\n\r\n"] {
        let mut client = Client::connect(daemon.tcp());
        client.send(magic);
        client.expect_last("E_BAD_PROTOCOL");
    }
}

#[test]
fn every_error_is_the_last_response() {
    let daemon = Daemon::start(&[]);
    for (line, error) in [
        ("\n", "E_INVALID invalid command "),
        ("ping\n", "E_INVALID invalid command ping"),
        ("  FOO bar\r\n", "E_INVALID invalid command FOO"),
        ("REGISTER t\n", "E_INVALID client must IDENTIFY"),
        ("UNREGISTER\n", "E_INVALID client must IDENTIFY"),
    ] {
        daemon.refuses(line, error);
    }
    for (line, error) in [
        ("IDENTIFY\n", "E_INVALID cannot IDENTIFY again"),
        ("REGISTER\n", "E_INVALID REGISTER insufficient number of params"),
        ("UNREGISTER \n", "E_INVALID UNREGISTER insufficient number of params"),
        ("REGISTER b!\n", "E_BAD_TOPIC REGISTER topic name 'b!' is not valid"),
        ("REGISTER  c\n", "E_BAD_TOPIC REGISTER topic name '' is not valid"),
        ("UNREGISTER b! c!\n", "E_BAD_TOPIC UNREGISTER topic name 'b!' is not valid"),
        ("REGISTER t b!\n", "E_BAD_CHANNEL REGISTER channel name 'b!' is not valid"),
        ("UNREGISTER t b!\n", "E_BAD_CHANNEL UNREGISTER channel name 'b!' is not valid"),
    ] {
        let mut client = daemon.nsqd("a");
        client.send(line);
        client.expect_last(error);
    }
}

#[test]
fn bodies_of_identify() {
    let daemon = Daemon::start(&[]);
    let not_json = "E_BAD_BODY IDENTIFY failed to decode JSON body";
    let missing = "E_BAD_BODY IDENTIFY missing fields";
    for (body, error) in [
        ("", not_json),
        ("[]", not_json),
        ("{", not_json),
        (&BODY.replace('1', "\"1\""), not_json),
        (&BODY.replace('1', "1.5"), not_json),
        (&BODY.replace("\"h\"", "5"), not_json),
        ("{}", missing),
        ("null", missing),
        (&BODY.replace('1', "0"), missing),
        (&BODY.replace('2', "0"), missing),
        (&BODY.replace("\"a\"", "\"\""), missing),
        (&BODY.replace("\"v\"", "\"\""), missing),
    ] {
        daemon.refuses(identify(body), error);
    }
    for body in [BODY.to_owned(), BODY.to_uppercase(), BODY.replace('}', ",\"x\":{}}")] {
        let answer = daemon.client().identify(&body).expect("an answer");
        let host = nsq_app::host::name();
        let (http, tcp) = (daemon.http().port(), daemon.tcp().port());
        let expected = format!(
            r#"{{"broadcast_address":"me","hostname":"{host}","http_port":{http},"tcp_port":{tcp},"version":"1.3.0"}}"#
        );
        assert_eq!(answer, expected, "{body}");
    }
}

#[test]
fn bodies_that_do_not_come() {
    let daemon = Daemon::start(&[]);
    for (input, error) in [
        (b"IDENTIFY\n\0\0".as_slice(), "E_BAD_BODY IDENTIFY failed to read body size"),
        (b"IDENTIFY\n\0\0\0\x09{}", "E_BAD_BODY IDENTIFY failed to read body"),
    ] {
        let mut client = daemon.client();
        client.send(input);
        client.send_end();
        client.expect_last(error);
    }
}

/// The original dies of a negative size, and takes a line and a body of any length.
#[test]
fn sizes_are_bounded() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    let size = |size: i32| [b"IDENTIFY\n".as_slice(), &size.to_be_bytes()].concat();
    daemon.refuses(size(-1), "E_BAD_BODY IDENTIFY invalid body size -1");
    daemon.refuses(size(i32::MIN), "E_BAD_BODY IDENTIFY invalid body size -2147483648");
    let too_big = "E_BAD_BODY IDENTIFY body too big 1048577 > 1048576";
    daemon.refuses(size((1 << 20) + 1), too_big);
    let line = vec![b'x'; 16 * 1024 + 1];
    daemon.refuses(line, "E_INVALID command line too long");
}

#[test]
fn ping_is_free_and_commands_can_be_sent_at_once() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.order("PING");
    client.send([b"PING\r\n".as_slice(), &identify(BODY), b"  REGISTER t c \nPING\n"].concat());
    assert_eq!(client.response().as_deref(), Some("OK"));
    assert!(client.response().is_some_and(|answer| answer.starts_with('{')));
    assert_eq!(client.response().as_deref(), Some("OK"));
    assert_eq!(client.response().as_deref(), Some("OK"));
    assert_eq!(daemon.producers("t"), ["a"]);
}
