//! Our daemons beside those of Go NSQ, which `NSQ_TEST_NSQD` and `NSQ_TEST_NSQLOOKUPD` name.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use nsq_sim::http;
use serde_json::Value;

use crate::registry::Registry;
use crate::{eventually, eventually_holds};
use nsq_sim::{Daemon, binary};

/// The original that the variable names, or a line that says that there is none.
fn original(variable: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(is_built_with_go);
    if named.is_none() {
        eprintln!("skipped: {variable} does not name an original");
    }
    named.map(PathBuf::from)
}

fn is_built_with_go(path: &OsString) -> bool {
    let version = Command::new(path).arg("--version").output().expect("the named program starts");
    String::from_utf8_lossy(&version.stdout).contains("built w/go")
}

fn registry(lookupd: &Daemon) -> Registry {
    Registry::of(lookupd.addresses().http)
}

/// How many nsqd nodes are registered for the channel, which only `/debug` tells.
fn holders(lookupd: &Daemon, topic: &str, channel: &str) -> usize {
    let answer = http::get(lookupd.addresses().http, "/debug").expect("an answer");
    let debug: Value = serde_json::from_str(&answer.body).expect("JSON");
    debug[format!("channel:{topic}:{channel}")].as_array().map_or(0, Vec::len)
}

/// What is registered and what is taken back.
fn changes_are_told(nsqd: &Daemon, lookupd: &Daemon) {
    nsqd.create("orders", "archive");
    nsqd.create("orders", "report");
    nsqd.create("gone", "only");
    let all =
        Registry::of_one(nsqd.port(), &[("orders", &["archive", "report"]), ("gone", &["only"])]);
    eventually("everything is registered", &all, || registry(lookupd));
    assert_eq!(holders(lookupd, "orders", "report"), 1);
    nsqd.order("/channel/delete?topic=orders&channel=report", "");
    nsqd.order("/topic/delete?topic=gone", "");
    let rest = Registry::of_one(nsqd.port(), &[("orders", &["archive", "report"])])
        .with_empty(&[("gone", &["only"])]);
    eventually("the topic is taken back", &rest, || registry(lookupd));
    for (topic, channel) in [("orders", "report"), ("gone", "only")] {
        eventually("the channel is taken back", &0, || holders(lookupd, topic, channel));
    }
    assert_eq!(holders(lookupd, "orders", "archive"), 1);
}

/// A new topic gets the channels that nsqlookupd knows.
fn channels_are_made(nsqd: &Daemon, lookupd: &Daemon) {
    lookupd.create("new", "archive");
    nsqd.order("/pub?topic=new", "message");
    eventually_holds("the channel is made", || nsqd.has_channel("new", "archive"));
}

/// Either daemon is killed and comes back with the other there all the time.
fn restarts_are_noticed(nsqd: &mut Daemon, lookupd: &mut Daemon) {
    let all = Registry::of_one(nsqd.port(), &[("orders", &["archive"]), ("new", &["archive"])]);
    lookupd.kill();
    lookupd.start_again();
    eventually("the new nsqlookupd is told everything", &all, || registry(lookupd));
    nsqd.kill();
    eventually("the nsqd is forgotten", &Vec::new(), || registry(lookupd).nodes);
    nsqd.start_again();
    eventually("the nsqd is found again", &all, || registry(lookupd));
}

fn check(nsqd: &Path, nsqlookupd: &Path) {
    let data = tempfile::tempdir().expect("a directory");
    let mut lookupd = Daemon::lookupd_of(nsqlookupd, &[]);
    let tcp = [lookupd.addresses().tcp];
    let mut daemon = Daemon::nsqd_of(nsqd, data.path(), &tcp);
    let connected = Registry::of_one(daemon.port(), &[]);
    eventually("the nsqd is connected", &connected, || registry(&lookupd));
    changes_are_told(&daemon, &lookupd);
    channels_are_made(&daemon, &lookupd);
    restarts_are_noticed(&mut daemon, &mut lookupd);

    // The other order.
    lookupd.kill();
    drop(daemon);
    let data = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::nsqd_of(nsqd, data.path(), &tcp);
    daemon.create("early", "bird");
    lookupd.start_again();
    let early = Registry::of_one(daemon.port(), &[("early", &["bird"])]);
    eventually("what was there before nsqlookupd is registered", &early, || registry(&lookupd));
}

#[test]
fn our_nsqd_and_our_nsqlookupd() {
    check(&binary("nsqd"), &binary("nsqlookupd"));
}

#[test]
fn our_nsqd_and_the_original_nsqlookupd() {
    if let Some(original) = original("NSQ_TEST_NSQLOOKUPD") {
        check(&binary("nsqd"), &original);
    }
}

#[test]
fn the_original_nsqd_and_our_nsqlookupd() {
    if let Some(original) = original("NSQ_TEST_NSQD") {
        check(&original, &binary("nsqlookupd"));
    }
}
