//! Rates from graphite.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use super::support::{Admin, nobody, token_file};

const RATE: &str = "GET /api/graphite?metric=rate&target=a.b%28c%29";

/// A graphite that answers this to one request, whose first line it returns.
fn graphite(listener: TcpListener, answer: &'static str) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody connects");
        let mut reader = BufReader::new(stream);
        let (mut first, mut line) = (String::new(), String::new());
        reader.read_line(&mut first).expect("text");
        while reader.read_line(&mut line).expect("text") > 2 {
            if line.to_lowercase().starts_with("authorization:") {
                first.push_str(&line);
            }
            line.clear();
        }
        let length = answer.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}");
        reader.get_mut().write_all(answer.as_bytes()).expect("it reads");
        first
    })
}

/// Asks for a rate; how graphite was asked. The token for nsqd is for nsqd only.
#[track_caller]
fn ask_for(user: &str, series: &'static str, expected: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let asked = graphite(listener, series);
    let url = format!("--graphite-url=http://{user}{address}/below/");
    let home = tempfile::tempdir().expect("a directory");
    let tokens = token_file(&home, "0123456789abcdef");
    let tokens = format!("--http-client-token-file={tokens}");
    let admin = Admin::of_nsqds(&[nobody()], &[&url, "--statsd-interval=10s", &tokens]);
    admin.check(RATE, expected);
    asked.join().expect("no panic")
}

#[track_caller]
fn check(series: &'static str, expected: &str) {
    let asked = ask_for("u:p@", series, expected);
    let query = "format=json&from=-20sec&target=a.b%28c%29&until=-10sec";
    assert!(asked.starts_with(&format!("GET /below/render?{query} HTTP/1.1\r\n")), "{asked}");
    assert!(asked.trim_end().ends_with("Basic dTpw"), "{asked}");
}

#[test]
fn the_first_point_is_the_rate() {
    const FAILED: &str = r#"500 {"message":"INTERNAL_ERROR"}"#;
    check(r#"[{"target":"x","datapoints":[[20.125,1],[5,2]]}]"#, r#"200 {"rate":"2.01"}"#);
    check(r#"[{"target":"x","datapoints":[[-1,1]]}]"#, r#"200 {"rate":"N/A"}"#);
    check(r#"[{"target":"x","datapoints":[[null,1]]}]"#, FAILED);
    check(r#"[{"target":"x","datapoints":[]}]"#, FAILED);
    check("[]", FAILED);
    check("no", FAILED);
}

#[test]
fn no_token_goes_to_graphite() {
    let series = r#"[{"target":"x","datapoints":[[10,1]]}]"#;
    let asked = ask_for("", series, r#"200 {"rate":"1.00"}"#);
    assert_eq!(asked.lines().count(), 1, "{asked}");
}
