//! The program nsqlookupd as an operator meets it: its lines on standard error, exit codes, SIGHUP.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use nsq_sim::certificates::Authority;
use rustix::process::{Pid, Signal, kill_process};

/// How long to wait for something that must happen. Only a defect makes a test wait so long.
const PATIENCE: Duration = Duration::from_secs(10);

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
        Self::spawn(command(&[&LOCAL, flags].concat()))
    }

    /// One that may open so many files.
    fn start_with_files(open_files: u32) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {open_files} && exec \"$0\" \"$@\"")]);
        command.arg(env!("CARGO_BIN_EXE_nsqlookupd")).args(LOCAL);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("it starts");
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

    /// What it listens on, for TCP clients and for HTTP; it may say either first.
    #[track_caller]
    fn addresses(&mut self) -> (String, String) {
        let (mut tcp, mut http) = (None, None);
        loop {
            let line = self.line("INFO: ");
            let address = |what: &str| line.strip_prefix(what).map(str::to_owned);
            tcp = tcp.or_else(|| address("TCP: listening on "));
            http = http.or_else(|| address("HTTP: listening on "));
            if let (Some(tcp), Some(http)) = (&tcp, &http) {
                return (tcp.clone(), http.clone());
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

impl Drop for Program {
    /// A test that failed leaves nothing behind.
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.child.kill().expect("it is our child");
            self.child.wait().expect("it is our child");
        }
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

/// A connection to nsqlookupd.
struct Client(TcpStream);

impl Client {
    fn connect(address: &str, input: &[u8]) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
        let mut client = Self(stream);
        client.send(input);
        client
    }

    fn identified(address: &str, name: &str) -> Self {
        let body =
            format!(r#"{{"broadcast_address":"{name}","tcp_port":1,"http_port":2,"version":"v"}}"#);
        let size = u32::try_from(body.len()).expect("it is short").to_be_bytes();
        let input = [b"  V1IDENTIFY\n".as_slice(), &size, body.as_bytes()].concat();
        let mut client = Self::connect(address, &input);
        assert!(client.response().contains("tcp_port"), "{name}");
        client
    }

    fn send(&mut self, input: &[u8]) {
        self.0.write_all(input).expect("it reads");
    }

    #[track_caller]
    fn response(&mut self) -> String {
        let mut size = [0; 4];
        self.0.read_exact(&mut size).expect("a response");
        let mut response = vec![0; u32::from_be_bytes(size) as usize];
        self.0.read_exact(&mut response).expect("a whole response");
        String::from_utf8(response).expect("text")
    }

    #[track_caller]
    fn is_ok(&mut self, command: &[u8]) {
        self.send(command);
        assert_eq!(self.response(), "OK");
    }

    /// The daemon ends it, in order or not.
    #[track_caller]
    fn ends(mut self) {
        let ended = self.0.read_to_end(&mut Vec::new());
        let is_end = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionReset;
        assert!(ended.as_ref().is_ok() || ended.as_ref().is_err_and(is_end), "{ended:?}");
    }
}

/// The answer to a GET.
fn get(address: &str, target: &str) -> String {
    let mut client = Client::connect(address, format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes());
    let mut answer = String::new();
    client.0.read_to_string(&mut answer).expect("text");
    answer
}

/// What somebody who wants to keep nsqd nodes out would do.
#[test]
fn connections_that_say_nothing_keep_no_nsqd_out() {
    // Room for 16 clients.
    let mut program = Program::start_with_files(96);
    let (tcp, http) = program.addresses();
    let silent = |input: &[u8]| Client::connect(&tcp, input);
    let before: Vec<_> = (0..20).map(|_| silent(b"")).collect();
    let pinging: Vec<_> = (0..20).map(|_| silent(b"  V1PING\nPING\n")).collect();
    let mut nsqd = Client::identified(&tcp, "a");
    nsqd.is_ok(b"REGISTER t c\n");
    let after: Vec<_> = (0..20).map(|_| silent(b"  V1")).collect();
    nsqd.is_ok(b"PING\n");
    assert!(get(&http, "/nodes").contains("\"topics\":[\"t\"]"));
    before.into_iter().chain(pinging).for_each(Client::ends);
    // Now 16 nsqd nodes, of which none has been silent for long: the next one has to go.
    let mut others: Vec<_> =
        (1..16).map(|number| Client::identified(&tcp, &format!("b{number}"))).collect();
    after.into_iter().for_each(Client::ends);
    silent(b"").ends();
    program.line("WARNING: TCP: closing ");
    others.push(nsqd);
    others.iter_mut().for_each(|nsqd| nsqd.is_ok(b"PING\n"));
    program.signal(Signal::TERM);
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

/// An HTTP client over TLS that trusts these certificates only, and stays connected.
struct Trusting {
    runtime: tokio::runtime::Runtime,
    stream: nsq_net::Outgoing,
}

impl Trusting {
    fn connect(address: &str, trusted: &Path) -> std::io::Result<Self> {
        let files =
            nsq_net::TlsClientFiles { authority: Some(trusted.to_owned()), ..Default::default() };
        let tls = nsq_net::TlsClient::load(&files).expect("files that are right");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let address = nsq_net::Address::parse(address);
        let stream = runtime.block_on(nsq_net::dial(&address, Some(&tls), PATIENCE))?;
        Ok(Self { runtime, stream })
    }

    /// The status of an answer.
    fn ask(&mut self, token: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let request =
            format!("GET /info HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        let stream = &mut self.stream;
        self.runtime.block_on(async {
            stream.write_all(request.as_bytes()).await.expect("it reads");
            stream.flush().await.expect("it reads");
            let mut answer = Vec::new();
            while !answer.ends_with(b"}") {
                assert!(stream.read_buf(&mut answer).await.expect("no reset") > 0);
            }
            String::from_utf8_lossy(&answer).chars().skip(9).take(3).collect()
        })
    }
}

#[test]
fn certificates_and_tokens_are_renewed_in_place() {
    let home = tempfile::tempdir().expect("a directory");
    let (old, new) = (Authority::new(), Authority::new());
    let trusted = (old.write(home.path(), "old"), new.write(home.path(), "new"));
    let (certificate, key) = old.sign(home.path(), "nsqlookupd");
    let tokens = home.path().join("tokens");
    std::fs::write(&tokens, "the-token-of-before\n").expect("room for a file");
    let mut program = Program::start(&[
        &format!("--tls-cert={}", certificate.display()),
        &format!("--tls-key={}", key.display()),
        &format!("--http-token-file={}", tokens.display()),
    ]);
    let (_, http) = program.addresses();
    let mut early = Trusting::connect(&http, &trusted.0).expect("it has the old certificate");
    assert_eq!(early.ask("the-token-of-before"), "200");
    assert_eq!(early.ask("the-token-of-later"), "401");

    assert_eq!(new.sign(home.path(), "nsqlookupd"), (certificate.clone(), key));
    std::fs::write(&tokens, "the-token-of-later\n").expect("room for a file");
    program.signal(Signal::HUP);
    program.line("INFO: SIGHUP: read the certificate again");
    program.line("INFO: SIGHUP: read the tokens again");
    assert_eq!(early.ask("the-token-of-before"), "401", "the connection goes on");
    assert_eq!(early.ask("the-token-of-later"), "200", "the connection goes on");
    assert!(Trusting::connect(&http, &trusted.0).is_err());
    let mut late = Trusting::connect(&http, &trusted.1).expect("it has the new certificate");
    assert_eq!(late.ask("the-token-of-later"), "200");

    // Files with a mistake change nothing.
    std::fs::write(&certificate, "nothing").expect("room for a file");
    std::fs::write(&tokens, "short").expect("room for a file");
    program.signal(Signal::HUP);
    let stays = "what was read before stays - ";
    let reason = program.line(&format!("ERROR: SIGHUP: the certificate: {stays}"));
    assert!(reason.starts_with(&certificate.display().to_string()), "{reason}");
    let reason = program.line(&format!("ERROR: SIGHUP: the tokens: {stays}"));
    assert!(reason.starts_with(&tokens.display().to_string()), "{reason}");
    let mut last = Trusting::connect(&http, &trusted.1).expect("it has the same certificate");
    assert_eq!(last.ask("the-token-of-later"), "200");
}

#[test]
fn a_flood_of_half_handshakes_keeps_no_nsqd_out() {
    let home = tempfile::tempdir().expect("a directory");
    let (certificate, key) = Authority::new().sign(home.path(), "nsqlookupd");
    let mut command = Command::new("sh");
    // So few files that 200 connections are too many.
    command.args(["-c", "ulimit -n 128 && exec \"$0\" \"$@\""]);
    command.arg(env!("CARGO_BIN_EXE_nsqlookupd")).args(LOCAL);
    command.arg(format!("--tls-cert={}", certificate.display()));
    command.arg(format!("--tls-key={}", key.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut program = Program::spawn(command);
    let (tcp, _) = program.addresses();
    let flood: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(&tcp).expect("it listens");
            match stream.write_all(&[0x16, 3, 1, 2]) {
                // It may have made room for another already.
                Ok(()) | Err(_) => stream,
            }
        })
        .collect();
    let mut client = TcpStream::connect(&tcp).expect("it listens");
    client.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    let body = r#"{"broadcast_address":"a","tcp_port":1,"http_port":2,"version":"v"}"#;
    let size = u32::try_from(body.len()).expect("it is short").to_be_bytes();
    let input = [b"  V1IDENTIFY\n".as_slice(), &size, body.as_bytes()].concat();
    client.write_all(&input).expect("it reads");
    let mut answer = [0; 5];
    client.read_exact(&mut answer).expect("it answers");
    assert_eq!(answer[4], b'{');
    drop(flood);
}

#[test]
fn tokens_in_plain_text_are_warned_of() {
    let home = tempfile::tempdir().expect("a directory");
    let (certificate, key) = Authority::new().sign(home.path(), "nsqlookupd");
    let (certificate, key) = (certificate.display(), key.display());
    let tokens = home.path().join("tokens");
    std::fs::write(&tokens, "the-token-of-before\n").expect("room for a file");
    let tokens = format!("--http-token-file={}", tokens.display());
    let (certificate, key) = (format!("--tls-cert={certificate}"), format!("--tls-key={key}"));
    let everywhere = "--http-address=0.0.0.0:0";
    for (flags, is_warned) in [
        (vec![everywhere, &tokens], true),
        (vec![everywhere, &tokens, &certificate, &key], true),
        (vec![everywhere, &tokens, &certificate, &key, "--tls-required"], false),
        (vec![&tokens], false),
        (vec![everywhere], false),
    ] {
        let mut program = Program::start(&flags);
        program.line("HTTP: listening on ");
        program.signal(Signal::TERM);
        let mut rest = String::new();
        program.log.read_to_string(&mut rest).expect("text");
        let text = "WARNING: HTTP: tokens travel in plain text to 0.0.0.0:";
        assert_eq!(rest.contains(text), is_warned, "{flags:?}: {rest}");
        assert_eq!(program.ended(), Some(0));
    }
}
