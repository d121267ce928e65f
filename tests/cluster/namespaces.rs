//! A partition in a network that is real to the kernel: two namespaces with a cable between them.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::partition::Cluster;
use nsq_sim::{Daemon, binary};

/// Set for the process that is in a network of its own.
const INSIDE: &str = "NSQ_TEST_INSIDE";
const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// How long a connection would never take here.
const WAIT: Duration = Duration::from_millis(500);

/// Another network namespace. It ends with this value.
struct Namespace {
    holder: Child,
}

impl Namespace {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        // It stays until its input ends.
        command.args(["--net", "sh", "-c", "echo made && exec cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().expect("unshare is there");
        let mut line = String::new();
        let output = holder.stdout.as_mut().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("text");
        assert_eq!(line, "made\n");
        Self { holder }
    }

    /// The words before a command that runs in there.
    fn enter(&self) -> Vec<String> {
        ["nsenter", &format!("--target={}", self.holder.id()), "--net"].map(str::to_owned).to_vec()
    }

    fn ip(&self, arguments: &str) {
        let enter = self.enter();
        run(Command::new(&enter[0]).args(&enter[1..]).arg("ip").args(arguments.split(' ')));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        self.holder.wait().expect("it is our child");
    }
}

/// A process that is root in a user namespace, with a network that is empty.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net"]);
    command
}

fn ip(arguments: &str) {
    run(Command::new("ip").args(arguments.split(' ')));
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Why there can be no networks here.
fn obstacle() -> Option<String> {
    let cable = "link add here type veth peer name there";
    let tried = unshare().arg("ip").args(cable.split(' ')).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

#[test]
fn an_unplugged_cable_heals() {
    if std::env::var_os(INSIDE).is_some() {
        return unplug_and_plug();
    }
    if let Some(obstacle) = obstacle() {
        assert!(std::env::var_os("CI").is_none(), "this machine allows no networks: {obstacle}");
        eprintln!("skipped: this machine allows no networks: {obstacle}");
        return;
    }
    // This test once more, in a network of its own.
    let mut inside = unshare();
    inside.arg(std::env::current_exe().expect("a test has a path")).env(INSIDE, "1");
    inside.args(["namespaces::an_unplugged_cable_heals", "--exact", "--nocapture"]);
    let output = inside.output().expect("it starts");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn unplug_and_plug() {
    let there = Namespace::new();
    ip(&format!("link add here type veth peer name there netns {}", there.holder.id()));
    ip("link set lo up");
    ip(&format!("addr add {HERE}/24 dev here"));
    ip("link set here up");
    there.ip(&format!("addr add {THERE}/24 dev there"));
    there.ip("link set there up");

    let data = tempfile::tempdir().expect("a directory");
    let near = Daemon::lookupd(&[]);
    let mut words = there.enter();
    let nsqlookupd = binary("nsqlookupd");
    words.push(nsqlookupd.to_str().expect("cargo's paths are text").to_owned());
    words.push(format!("--broadcast-address={THERE}"));
    let far = Daemon::run(words, THERE.into());
    let nsqd = Daemon::nsqd(data.path(), &[near.addresses().tcp, far.addresses().tcp]);
    let address = far.addresses().tcp;
    // The far end: packets leave here, and nothing says that they do not arrive.
    Cluster { nsqd, near, far }.heals(
        || there.ip("link set there down"),
        || {
            // This is to tell that from a cable that was never unplugged.
            let tried = TcpStream::connect_timeout(&address, WAIT);
            assert!(tried.is_err(), "it can be reached");
        },
        || there.ip("link set there up"),
    );
}
