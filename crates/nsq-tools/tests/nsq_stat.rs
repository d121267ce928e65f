//! nsq_stat as a script meets it: its columns, its lines on standard error, its exit codes.

mod support;

use std::io::{BufRead, BufReader};

use nsq_sim::Daemon;
use rustix::process::{Pid, Signal, kill_process};
use support::{Nsqd, command, is_original, outcome, until};

const TOOL: &str = env!("CARGO_BIN_EXE_nsq_stat");
const HEADER: &str = "\
------rate------+----------------depth----------------+--------------metadata---------------
ingress  egress |   total     mem    disk inflt   def |     req     t-o         msgs clients
";

fn run(flags: &[impl AsRef<str>]) -> (Option<i32>, String, String) {
    outcome(command(TOOL, flags).output().expect("it starts"))
}

/// The flags for a channel of a topic, two reports quickly, over these nodes.
fn flags(topic: &str, channel: &str, nodes: &[String]) -> Vec<String> {
    let names = [format!("--topic={topic}"), format!("--channel={channel}")];
    let pace = ["--interval=20ms", "--count=2"].map(str::to_owned);
    let nodes = nodes.iter().map(|node| format!("--nsqd-http-address={node}"));
    names.into_iter().chain(pace).chain(nodes).collect()
}

fn http(nsqd: &Nsqd) -> String {
    nsqd.daemon.addresses().http.to_string()
}

/// An nsqd with a channel `c` of `t` in which so many messages wait.
fn nsqd_with(count: usize, lookupds: &[&Daemon]) -> Nsqd {
    let nsqd = Nsqd::start(lookupds);
    nsqd.daemon.create("t", "c");
    nsqd.daemon.order("/mpub?topic=t", &vec!["body"; count].join("\n"));
    nsqd.until("t", &[&format!("\"channel_name\":\"c\",\"depth\":{count},")]);
    nsqd
}

fn lines_of(count: usize) -> String {
    let line = format!(
        "{:>7} {:>7} | {count:>7} {count:>7} {:>7} {:>5} {:>5} | {:>7} {:>7} {count:>12} {:>7}\n",
        0, 0, 0, 0, 0, 0, 0, 0
    );
    format!("{HEADER}{line}{line}")
}

#[test]
fn version_and_mistakes() {
    assert_eq!(run(&["-version"]), (Some(0), "nsq_stat v1.3.0\n".to_owned(), String::new()));
    let names = ["--topic=t", "--channel=c"];
    for (flags, expected) in [
        (&[][..], "--topic and --channel are required"),
        (&["--interval=0s"], "--interval should be positive"),
        (&["--count=-1"], "--count should be positive"),
        (&["--count=1"], "--nsqd-http-address or --lookupd-http-address required"),
    ] {
        let names = if flags.is_empty() { &[][..] } else { &names };
        let found = run(&[names, flags].concat());
        assert_eq!(found, (Some(1), String::new(), expected.to_owned()), "{flags:?}");
    }
    let (code, _, errors) = run(&["--count=x"]);
    let expected =
        "invalid value \"x\" for flag -count: strconv.ParseInt: parsing \"x\": invalid syntax";
    assert_eq!((code, errors.lines().next()), (Some(2), Some(expected)));
}

#[test]
fn as_many_lines_as_are_counted() {
    let nsqd = nsqd_with(301, &[]);
    let found = run(&flags("t", "c", &[http(&nsqd)]));
    assert_eq!(found, (Some(0), lines_of(301), String::new()));
}

#[test]
fn nodes_are_summed() {
    let (one, other, without) = (nsqd_with(3, &[]), nsqd_with(40, &[]), Nsqd::start(&[]));
    let addresses = [&one, &other, &without].map(http);
    let found = run(&flags("t", "c", &addresses));
    assert_eq!(found, (Some(0), lines_of(43), String::new()));
}

#[test]
fn nodes_are_found_by_nsqlookupd() {
    let lookupd = Daemon::lookupd(&[]);
    let nodes = [nsqd_with(5, &[&lookupd]), nsqd_with(6, &[&lookupd])];
    until(&lookupd, "/lookup?topic=t", |answer| {
        answer.matches("remote_address").count() == nodes.len()
    });
    let lookupd = format!("--lookupd-http-address={}", lookupd.addresses().http);
    let found = run(&[flags("t", "c", &[]), vec![lookupd]].concat());
    assert_eq!(found, (Some(0), lines_of(11), String::new()));
}

#[test]
fn what_is_not_there() {
    let nsqd = nsqd_with(1, &[]);
    let nodes = [http(&nsqd)];
    for (topic, channel, expected) in [
        ("t", "x", "ERROR: failed to find channel(x) in stats metadata for topic(t)"),
        ("x", "c", "ERROR: failed to get nsqd stats - failed to query any nsqd: "),
    ] {
        let found = run(&flags(topic, channel, &nodes));
        assert_eq!(found, (Some(1), String::new(), expected.to_owned()));
    }
}

#[test]
fn a_node_that_is_down_is_warned_of_once() {
    let (nsqd, mut gone) = (nsqd_with(7, &[]), Nsqd::start(&[]));
    gone.daemon.kill();
    let down = http(&gone);
    let refused = format!(
        "Get \"http://{down}/stats?format=json&topic=t&include_clients=false\": \
         dial tcp {down}: connect: connection refused"
    );
    let none = "ERROR: failed to get topic producers - ";
    let (code, lines, errors) = run(&flags("t", "c", &[down.clone(), http(&nsqd)]));
    if is_original() {
        assert_eq!((code, errors), (Some(1), format!("{none}{refused}")));
    } else {
        assert_eq!((code, lines, errors), (Some(0), lines_of(7), format!("WARNING: {refused}")));
    }
    let found = run(&flags("t", "c", &[down]));
    let expected = format!("{none}failed to query any nsqd: {refused}");
    assert_eq!(found, (Some(1), String::new(), expected));
}

#[test]
fn any_signal_to_stop_is_success() {
    let nsqd = nsqd_with(1, &[]);
    for signal in [Signal::HUP, Signal::INT, Signal::TERM] {
        let address = nsqd.flag("nsqd-http-address");
        let flags = ["--topic=t", "--channel=c", "--interval=1h", &address];
        let mut child = command(TOOL, &flags).spawn().expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line of the header");
        assert!(HEADER.starts_with(&line) && !line.is_empty(), "{line}");
        kill_process(Pid::from_child(&child), signal).expect("it is our child");
        assert_eq!(child.wait().expect("it is our child").code(), Some(0), "{signal:?}");
    }
}
