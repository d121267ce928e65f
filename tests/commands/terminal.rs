//! What is different on a terminal, which `script` of util-linux plays.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use crate::support::{Node, exit_code};

/// A command on a terminal; None where `script` is missing.
fn on_terminal(arguments: &[&str]) -> Option<Child> {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no `script` here to play a terminal");
        return None;
    }
    let nsq = env!("CARGO_BIN_EXE_nsq");
    let line = format!("stty rows 20 columns 100; exec '{nsq}' {}", arguments.join(" "));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    script.env("TERM", "xterm").env("SHELL", "/bin/sh").env_remove("NO_COLOR");
    let script = script.stdin(Stdio::piped()).stdout(Stdio::piped());
    Some(script.spawn().expect("script starts"))
}

/// Reads on until this was shown.
#[track_caller]
fn read_until(child: &mut Child, wanted: &str) -> String {
    let output = child.stdout.as_mut().expect("it is a pipe");
    let (mut shown, mut some) = (Vec::new(), [0; 4096]);
    loop {
        let count = output.read(&mut some).expect("it can be read");
        shown.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&shown);
        if text.contains(wanted) {
            return text.into_owned();
        }
        assert!(count > 0, "{wanted:?} was never shown:\n{text}");
    }
}

#[test]
fn messages_are_laid_out_and_cannot_steer_the_terminal() {
    let node = Node::start();
    node.daemon.create("t", "c");
    node.daemon.order("/mpub?topic=t", "{\"a\":1}\n\u{1b}[2J\u{7}");
    let address = node.tcp();
    let Some(mut sub) = on_terminal(&["sub", "t", "c", "-n", "2", "--nsqd", &address]) else {
        return;
    };
    let mut shown = String::new();
    let output = sub.stdout.as_mut().expect("it is a pipe");
    output.read_to_string(&mut shown).expect("it is text");
    let expected = "{\r\n  \u{1b}[34m\"a\"\u{1b}[0m: \u{1b}[33m1\u{1b}[0m\r\n}\r\n\
                    \u{1b}[31m\\x1b\u{1b}[0m[2J\u{1b}[31m\\x07\u{1b}[0m\r\n";
    assert_eq!(shown, expected);
    assert_eq!(exit_code(&mut sub), Some(0));
}

#[test]
fn the_screen_is_given_back() {
    let node = Node::start();
    node.daemon.create("orders", "archive");
    let address = node.http().to_string();
    for quit in [&b"q"[..], b"\x03"] {
        let Some(mut top) = on_terminal(&["top", "--nsqd", &address]) else { return };
        let shown = read_until(&mut top, "archive");
        assert!(shown.contains("\u{1b}[?1049h"), "{shown:?}");
        let mut keys = top.stdin.take().expect("it is a pipe");
        keys.write_all(quit).and_then(|()| keys.flush()).expect("it reads keys");
        let mut rest = String::new();
        let output = top.stdout.as_mut().expect("it is a pipe");
        output.read_to_string(&mut rest).expect("it is text");
        assert!(rest.contains("\u{1b}[?1049l") && rest.contains("\u{1b}[?25h"), "{rest:?}");
        assert_eq!(exit_code(&mut top), Some(0));
    }
}
