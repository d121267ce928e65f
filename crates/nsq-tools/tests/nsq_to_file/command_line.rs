//! What it says and how it exits when it has nothing to do.

use crate::archive::Home;

/// Exit code and standard error without dates.
fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let output = Home::new().run(flags);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.code(), text.get(20..).unwrap_or(&text).trim_end().to_owned())
}

#[test]
fn wrong_command_lines() {
    let nsqd = "--nsqd-tcp-address=127.0.0.1:1";
    for (flags, expected) in [
        (["--topic=t"].as_slice(), "--nsqd-tcp-address or --lookupd-http-address required."),
        (&[nsqd], "--topic or --topic-pattern required"),
        (&[nsqd, "--topic=t", "rest"], "unknown arguments: [rest]"),
        (&[nsqd, "--topic=t", "--sync-interval=0"], "--sync-interval should be positive"),
        (&["--log-level=loud", "--version"], "--log-level is invalid"),
    ] {
        assert_eq!(refused(flags), (Some(1), expected.to_owned()), "{flags:?}");
    }
    let output = Home::new().run(&["--consumer-opt=nope"]);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    let expected = "invalid value \"nope\" for flag -consumer-opt: invalid option nope\n";
    assert!(output.status.code() == Some(2) && text.starts_with(expected), "{text}");
}

#[test]
fn version_and_help() {
    let output = Home::new().run(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"nsq_to_file v1.3.0\n");
    let output = Home::new().run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.starts_with(b"Usage of nsq_to_file:\n"));
}

#[test]
fn no_topic_that_could_be_started() {
    let nsqd = "--nsqd-tcp-address=127.0.0.1:1";
    for (flags, reason) in [
        (["--topic=t"].as_slice(), "couldn't create logger for new topic t: "),
        (&["--topic=not a topic"], "couldn't create logger for new topic not a topic: "),
        (&["--topic=t", "--topic-pattern=^a"], "skipping topic t (doesn't match pattern ^a)"),
        (&["--topic=t", "--gzip", "--filename-format=<TOPIC>"], "missing <REV> in"),
    ] {
        let output = Home::new().run(&[&[nsqd], flags].concat());
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{flags:?}");
        assert!(text.contains(reason), "{flags:?}: {text}");
        let last = text.lines().last().unwrap_or_default();
        assert!(last.starts_with("[nsq_to_file] "), "{last}");
        assert!(last.ends_with(" FATAL: no topic could be started"), "{last}");
    }
}
