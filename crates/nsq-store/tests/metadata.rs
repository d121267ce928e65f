//! `nsqd.dat`: the texts Go NSQ writes, and everything it accepts.

use std::io;
use std::path::Path;

use nsq_sim::{Fault, FaultyDisk, Operation};
use nsq_store::disk::{Disk, OsDisk};
use nsq_store::metadata::{ChannelMeta, Metadata, TopicMeta};

const DIR: &str = "/data";
const FILE: &str = "/data/nsqd.dat";

fn topic(name: &str, paused: bool, channels: &[(&str, bool)]) -> TopicMeta {
    let channel = |&(name, paused): &(&str, bool)| ChannelMeta {
        name: name.parse().expect("a valid name"),
        paused,
    };
    let name = name.parse().expect("a valid name");
    TopicMeta { name, paused, channels: channels.iter().map(channel).collect() }
}

fn metadata(topics: &[TopicMeta]) -> Metadata {
    Metadata { topics: topics.to_vec(), version: "1.3.0".to_owned() }
}

fn load(contents: &[u8]) -> Result<(Metadata, Vec<String>), String> {
    let disk = FaultyDisk::new();
    disk.put(FILE, contents);
    Metadata::load(&disk, Path::new(DIR)).map_err(|error| error.to_string())
}

#[test]
fn writes_what_nsqd_writes() {
    let texts: [(Vec<TopicMeta>, &str); 5] = [
        (vec![], r#"{"topics":null,"version":"1.3.0"}"#),
        (
            vec![topic("alpha", false, &[("c1", false)])],
            concat!(
                r#"{"topics":[{"name":"alpha","paused":false,"#,
                r#""channels":[{"name":"c1","paused":false}]}],"version":"1.3.0"}"#
            ),
        ),
        (
            vec![topic("alpha", true, &[])],
            r#"{"topics":[{"name":"alpha","paused":true,"channels":null}],"version":"1.3.0"}"#,
        ),
        (
            vec![topic("b", false, &[]), topic("a", false, &[("y", true), ("x", false)])],
            concat!(
                r#"{"topics":[{"name":"a","paused":false,"#,
                r#""channels":[{"name":"x","paused":false},{"name":"y","paused":true}]},"#,
                r#"{"name":"b","paused":false,"channels":null}],"version":"1.3.0"}"#
            ),
        ),
        (
            vec![
                topic("gone#ephemeral", false, &[("kept", false)]),
                topic("a", false, &[("x#ephemeral", false)]),
            ],
            r#"{"topics":[{"name":"a","paused":false,"channels":null}],"version":"1.3.0"}"#,
        ),
    ];
    for (topics, text) in texts {
        let written = metadata(&topics).encode();
        assert_eq!(String::from_utf8_lossy(&written), text);
        let (read, warnings) = load(&written).expect("its own text");
        assert_eq!((read.encode(), warnings), (written, vec![]));
    }
}

#[test]
fn reads_what_nsqd_accepts() {
    let fx = [topic("fx", false, &[("ch", false)])];
    let paused = [topic("fx", true, &[("ch", true)])];
    let merged = [topic("a", true, &[("x", true), ("y", false)]), topic("b", false, &[])];
    let ephemeral = [topic("a#ephemeral", false, &[("b#ephemeral", false)])];
    let accepted: [(&str, &[TopicMeta]); 13] = [
        ("{}", &[]),
        ("null", &[]),
        (r#"{"topics":null}"#, &[]),
        (r#"{"topics":[],"version":null}"#, &[]),
        (" {\"version\" : \"0.0\"} \r\n\t ", &[]),
        (r#"{"topics":[{"name":"fx","channels":[{"name":"ch"}]}]}"#, &fx),
        (
            r#"{"topics":[{"name":"fx","paused":null,"channels":[{"name":"ch","paused":null}]}]}"#,
            &fx,
        ),
        (
            r#"{"Topics":[{"NAME":"fx","Paused":true,"cHaNnElS":[{"Name":"ch","PAUSED":true}]}]}"#,
            &paused,
        ),
        (
            r#"{"new":{"deep":[1,{"a":null}]},"topics":[{"name":"fx","id":1.5e9,
                "channels":[{"name":"ch","owner":"x"}]}]}"#,
            &fx,
        ),
        (r#"{"topics":[{"name":"\u0066x","channels":[{"name":"ch"}]}]}"#, &fx),
        (
            r#"{"topics":[{"name":"a","paused":true,"channels":[{"name":"x"}]},{"name":"b"},
                {"name":"a","channels":[{"name":"y"},{"name":"x","paused":true}]}]}"#,
            &merged,
        ),
        (r#"{"topics":[{"name":"a#ephemeral","channels":[{"name":"b#ephemeral"}]}]}"#, &ephemeral),
        (r#"{"topics":null,"topics":[{"name":"fx","channels":[{"name":"ch"}]}]}"#, &fx),
    ];
    for (text, topics) in accepted {
        let (read, warnings) = load(text.as_bytes()).expect(text);
        assert_eq!((read.topics.as_slice(), warnings), (topics, vec![]), "{text}");
    }
    let (read, _) = load(br#"{"topics":null,"version":"1.2.1-alpha"}"#).unwrap();
    assert_eq!(read.version, "1.2.1-alpha");
}

#[test]
fn skips_invalid_names() {
    let text = br#"{"topics":[{"name":"a b","channels":[{"name":"x"}]},null,
        {"name":"ok","channels":[{"name":""},{"name":"fine"},{"name":"../up"},null]},
        {"name":"bad\u0000"},{"name":"not-utf8-\xFF"}]}"#;
    let mut text = text.to_vec();
    let escape = text.windows(4).position(|w| w == br"\xFF").unwrap();
    text.splice(escape..escape + 4, [0xFF]);
    let (read, warnings) = load(&text).unwrap();
    assert_eq!(read.topics, [topic("ok", false, &[("fine", false)])]);
    assert_eq!(
        warnings,
        [
            "skipping creation of invalid topic a b",
            "skipping creation of invalid topic ",
            "skipping creation of invalid channel ",
            "skipping creation of invalid channel ../up",
            "skipping creation of invalid channel ",
            "skipping creation of invalid topic bad\0",
            "skipping creation of invalid topic not-utf8-\u{FFFD}",
        ]
    );
}

#[test]
fn refuses_what_nsqd_refuses() {
    let refused: [&[u8]; 18] = [
        b"",
        b"   ",
        b"{",
        b"{}{}",
        b"{} x",
        b"[]",
        b"1",
        b"true",
        br#""text""#,
        br#"{"version":1}"#,
        br#"{"topics":{}}"#,
        br#"{"topics":"a"}"#,
        br#"{"topics":["a"]}"#,
        br#"{"topics":[{"name":1}]}"#,
        br#"{"topics":[{"name":"a","paused":"true"}]}"#,
        br#"{"topics":[{"name":"a","paused":1}]}"#,
        br#"{"topics":[{"name":"a","channels":[{"name":[]}]}]}"#,
        b"\0\0\0\0",
    ];
    for text in refused {
        let error = load(text).expect_err(&String::from_utf8_lossy(text));
        let reason = error.strip_prefix("failed to parse metadata in /data/nsqd.dat - ");
        assert!(reason.is_some_and(|reason| !reason.is_empty()), "{error}");
    }
    let deep = [b"{\"x\":".as_slice(), &[b'['; 100_000]].concat();
    load(&deep).expect_err("nesting is bounded");
}

#[test]
fn a_missing_file_is_an_empty_node() {
    let disk = FaultyDisk::with_dir(DIR);
    let loaded = Metadata::load(&disk, Path::new(DIR)).unwrap();
    assert_eq!(loaded, (Metadata::default(), vec![]));
}

#[test]
fn an_unreadable_file_stops_the_start() {
    let disk = FaultyDisk::new();
    disk.put(FILE, b"{}");
    disk.fail(Operation::Read, 1, Fault::clean(io::ErrorKind::PermissionDenied));
    let error = Metadata::load(&disk, Path::new(DIR)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to read metadata from /data/nsqd.dat - permission denied"
    );
}

#[test]
fn leftovers_are_removed() {
    let disk = FaultyDisk::new();
    let kept = ["nsqd.dat", "nsqd.dat.tmp", "nsqd.dat.x.tmp", "nsqd.dat.1", "xnsqd.dat.1.tmp"];
    for name in kept {
        disk.put(Path::new(DIR).join(name), b"{}");
    }
    disk.put("/data/nsqd.dat.5577006791947779410.tmp", b"{");
    disk.put("/data/nsqd.dat.0.tmp", b"");
    let (_, warnings) = Metadata::load(&disk, Path::new(DIR)).unwrap();
    assert_eq!(warnings, [] as [&str; 0]);
    let mut expected = kept.map(|name| Path::new(DIR).join(name));
    expected.sort();
    assert_eq!(disk.paths(), expected);

    disk.put("/data/nsqd.dat.0.tmp", b"");
    disk.fail(Operation::RemoveFile, 1, Fault::clean(io::ErrorKind::PermissionDenied));
    let (_, warnings) = Metadata::load(&disk, Path::new(DIR)).unwrap();
    assert_eq!(warnings, ["failed to remove /data/nsqd.dat.0.tmp - permission denied"]);
}

#[test]
fn a_crash_leaves_the_old_or_the_new() {
    let old = metadata(&[topic("old", false, &[])]);
    let new = metadata(&[topic("new", true, &[("a", false)]), topic("old", false, &[])]);
    let dir = Path::new(DIR);
    let start = || {
        let disk = FaultyDisk::with_dir(DIR);
        old.store(&disk, dir).unwrap();
        disk
    };
    let disk = start();
    let before = disk.changes();
    new.store(&disk, dir).unwrap();
    let operations = disk.changes() - before;
    assert_eq!(operations, 5, "create, write, sync, rename, sync the directory");
    for stop in 0..=operations {
        let disk = start();
        disk.stop_after(stop, 7);
        let stored = new.store(&disk, dir).is_ok();
        assert_eq!(stored, stop == operations);
        let killed = disk.copy();
        disk.power_cut(stop);
        for disk in [killed, disk] {
            let (read, _) = Metadata::load(&disk, dir).unwrap();
            assert!(read == new || (!stored && read == old), "after {stop}: {read:?}");
            assert_eq!(disk.paths(), [Path::new(FILE)]);
        }
    }
}

#[test]
fn a_failed_write_leaves_no_file_behind() {
    let disk = FaultyDisk::with_dir(DIR);
    disk.limit(Some(10));
    let error = metadata(&[]).store(&disk, Path::new(DIR)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.paths(), [] as [&Path; 0]);
}

#[test]
fn works_on_a_real_directory() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let disk: &dyn Disk = &OsDisk;
    let written = metadata(&[topic("a", false, &[("b", true)])]);
    written.store(disk, dir.path()).unwrap();
    written.store(disk, dir.path()).unwrap();
    assert_eq!(Metadata::load(disk, dir.path()).unwrap(), (written, vec![]));
    let file = dir.path().join("nsqd.dat");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

    let error = Metadata::load(disk, &file).unwrap_err().to_string();
    let prefix = format!("failed to read metadata from {}/nsqd.dat - ", file.display());
    assert!(error.starts_with(&prefix), "{error}");
}
