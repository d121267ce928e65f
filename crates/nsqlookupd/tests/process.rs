//! The program nsqlookupd as an operator meets it: its lines on standard error, exit codes, SIGHUP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

const LOCAL: [&str; 2] = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsqlookupd"));
    command.args(flags).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end: exit code, and all it said.
fn run(flags: &[&str]) -> (Option<i32>, String) {
    let output = command(flags).output().expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Program {
    fn start(flags: &[&str]) -> Self {
        let mut child = command(&[&LOCAL, flags].concat()).spawn().expect("it starts");
        let log = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, log }
    }

    /// The rest of the next line with `text`, behind that.
    #[track_caller]
    fn line(&mut self, text: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.log.read_line(&mut line).expect("text");
            assert!(read > 0, "it ended without {text}");
            if let Some((_, rest)) = line.trim_end().split_once(text) {
                return rest.to_owned();
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is our child");
    }

    fn ended(&mut self) -> Option<i32> {
        self.child.wait().expect("it is our child").code()
    }
}

#[test]
fn versions_and_mistakes() {
    let (code, text) = run(&["--version"]);
    assert!(code == Some(0) && text.starts_with("nsqlookupd v1.3.0 (built w/rust"), "{text}");
    let (code, text) = run(&["--help"]);
    assert!(code == Some(0) && text.starts_with("Usage of nsqlookupd:\n  -broadcast-"), "{text}");
    let (code, text) = run(&["--nosuch"]);
    assert!(code == Some(2) && text.starts_with("flag provided but not defined: -nosuch\n"));
    let (code, text) = run(&["--config=nofile"]);
    assert_eq!(code, Some(1));
    assert!(text.ends_with(
        "FATAL: failed to load config file nofile - open nofile: no such file or directory\n"
    ));
}

#[test]
fn an_address_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    for flag in ["--tcp-address", "--http-address"] {
        let (code, text) = run(&[&LOCAL[..], &[&format!("{flag}={address}")]].concat());
        let expected = format!(
            "FATAL: failed to instantiate nsqlookupd - listen ({address}) failed - \
             listen tcp {address}: bind: address already in use\n"
        );
        assert!(code == Some(1) && text.ends_with(&expected), "{text}");
    }
}

#[test]
fn the_log_tells_what_happens() {
    let mut program = Program::start(&[]);
    program.line("[nsqlookupd] ");
    let tcp = program.line("INFO: TCP: listening on ");
    let mut client = TcpStream::connect(&tcp).expect("it listens");
    let me = client.local_addr().expect("it is connected");
    let body = r#"{"broadcast_address":"a","tcp_port":1,"http_port":2,"version":"v"}"#;
    let size = u32::try_from(body.len()).expect("it is short").to_be_bytes();
    let rest = b"REGISTER t c\nPING\nUNREGISTER t\n";
    let input = [b"  V1IDENTIFY\n".as_slice(), &size, body.as_bytes(), rest].concat();
    client.write_all(&input).expect("it reads");
    let db = format!("INFO: DB: client({me}) ");
    for (before, expected) in [
        ("INFO: TCP: new client", format!("({me})")),
        ("INFO: CLIENT", format!("({me}): desired protocol magic '  V1'")),
        ("INFO: CLIENT", format!("({me}): IDENTIFY Address:a TCP:1 HTTP:2 Version:v")),
        (&db, "REGISTER category:client key: subkey:".to_owned()),
        (&db, "REGISTER category:channel key:t subkey:c".to_owned()),
        (&db, "REGISTER category:topic key:t subkey:".to_owned()),
    ] {
        assert_eq!(program.line(before), expected.trim_end());
    }
    assert!(program.line("INFO: CLIENT").starts_with(&format!("({me}): pinged (last ping ")));
    assert_eq!(
        program.line("WARNING: client"),
        format!("({me}) unexpected UNREGISTER category:channel key:t subkey:c")
    );
    assert_eq!(program.line(&db), "UNREGISTER category:topic key:t subkey:");
    // What is unread when it closes would make that a reset.
    client.shutdown(std::net::Shutdown::Write).expect("it is connected");
    client.read_to_end(&mut Vec::new()).expect("the responses");
    assert_eq!(program.line("INFO: client"), format!("({me}) - closed"));
    program.signal(Signal::TERM);
    program.line("INFO: TCP: closing ");
    assert_eq!(program.ended(), Some(0));
}

#[test]
fn hanging_up_reads_the_file_again() {
    let path = std::env::temp_dir().join(format!("nsqlookupd-{}.cfg", std::process::id()));
    std::fs::write(&path, "log_level = \"info\"\n").expect("there is room");
    let mut program = Program::start(&[&format!("--config={}", path.display())]);
    program.line("HTTP: listening on ");
    std::fs::write(&path, "log_level = \"debug\"\ntombstone_lifetime = \"1s\"\n").expect("room");
    program.signal(Signal::HUP);
    assert!(program.line("INFO: SIGHUP: read ").ends_with("log_level is debug now"));
    assert_eq!(program.line("wait for a restart: "), "tombstone_lifetime");
    program.signal(Signal::INT);
    assert_eq!(program.ended(), Some(0));
    let mut rest = String::new();
    program.log.read_to_string(&mut rest).expect("text");
    std::fs::remove_file(path).expect("it is ours");
}

#[test]
fn the_example_of_a_configuration_file_has_the_defaults() {
    use nsq_app::flags::{changed_keys, parse};
    use nsqlookupd::Options;

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/nsqlookupd.cfg.example");
    let line = parse::<Options>([]).expect("no flags");
    let settings = line.settings(path.to_str().expect("UTF-8")).expect("the example loads");
    assert_eq!(settings.warnings, [""; 0]);
    assert_eq!(changed_keys(&Options::default(), &settings.options), [""; 0]);
}
