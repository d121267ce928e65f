//! `nsq up` as a user meets it: one command, curl, Ctrl-C, and again.

mod nodes;
mod sample;
mod tls;
mod up_process;

use std::fs;
use std::path::{Path, PathBuf};

use up_process::Up;

/// A fresh directory below cargo's directory for tests; the last run's is removed.
fn fresh_directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("the last run's directory can be removed");
    }
    directory
}

#[test]
fn it_says_where_it_is_and_what_to_try() {
    let data = fresh_directory("welcome");
    let up = Up::start(&data);
    let (tcp, http) = (up.tcp().to_owned(), up.http().to_owned());
    for command in [
        format!("curl -d 'hello world' 'http://{http}/pub?topic=test'"),
        format!("nsq sub test --nsqd {tcp}"),
        format!("curl 'http://{http}/stats?format=json'"),
        format!("nsq bench e2e --address {tcp} --batch 200 --depth 4 --duration 5s"),
    ] {
        assert!(up.welcome().contains(&format!("  {command}\n")), "{command}:\n{}", up.welcome());
    }
    assert!(up.welcome().contains(&data.display().to_string()), "{}", up.welcome());
    up.interrupt();
}

#[test]
fn what_was_published_survives_ctrl_c() {
    let data = fresh_directory("survives");
    let up = Up::start(&data);
    assert_eq!(up.post("/pub?topic=test", "hello world"), (200, "OK".to_owned()));
    assert_eq!(up.post("/mpub?topic=test", "one\ntwo\nthree"), (200, "OK".to_owned()));
    assert_eq!(up.post("/channel/create?topic=test&channel=later", ""), (200, String::new()));
    let farewell = up.interrupt();
    assert!(farewell.contains("stopped; everything is in"), "{farewell}");

    let up = Up::start(&data);
    let (status, stats) = up.get("/stats?format=json&topic=test&include_mem=false");
    assert_eq!(status, 200);
    assert!(stats.contains(r#""channel_name":"later","depth":4"#), "{stats}");
    up.interrupt();
}

#[test]
fn two_cannot_have_the_same_data() {
    let data = fresh_directory("locked");
    let first = Up::start(&data);
    let refused = up_process::command(&data).output().expect("nsq starts");
    let complaint = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains(&data.display().to_string()), "{complaint}");
    first.interrupt();
}
