//! tcp-protocol.md §7, http-api.md §1 and flags.md §3: who must use TLS, with which certificate.

use std::sync::Arc;

use rustls::ClientConfig;

use crate::support::{Certificates, Daemon, identify, is_original, publish, try_start, with_size};

const WISH: &str = r#"{"tls_v1":true}"#;

fn required(certificates: &Certificates, flag: &str) -> Daemon {
    let mut flags = certificates.server_flags();
    flags.push(flag.to_owned());
    Daemon::start_with(&flags)
}

#[test]
fn where_tls_is_required_only_identify_comes_before_it() {
    let certificates = Certificates::new();
    for flag in ["--tls-required", "--tls-required=true", "--tls-required=tcp-https"] {
        let daemon = required(&certificates, flag);
        // Neither parameters nor bodies are looked at.
        for line in [
            "FIN", "RDY", "REQ", "PUB", "MPUB", "DPUB", "NOP", "TOUCH", "SUB", "CLS", "AUTH",
            "PUB t", "SUB t c", "RDY x", "FOO", "FOO bar", "", "pub", "identify", "AUTH x",
        ] {
            let word = line.split(' ').next().expect("there is a first");
            let error = format!("E_INVALID cannot {word} in current state (TLS required)");
            daemon.refuses(format!("{line}\n"), &error);
            // Another IDENTIFY does not help.
            let mut client = daemon.client();
            client.identify("{}");
            client.negotiate("{}");
            client.send(format!("{line}\n"));
            client.expect_last_error(&error);
        }
        // What is wrong with IDENTIFY itself is said first.
        daemon.refuses(identify("{"), "E_BAD_BODY IDENTIFY failed to decode JSON body");
        let mut client = daemon.client();
        client.negotiate(WISH);
        client.start_tls(certificates.anonymous());
        client.send(publish("t", "a"));
        client.expect_ok();
        client.send("AUTH\n");
        client.send(with_size("x"));
        client.expect_last_error("E_AUTH_DISABLED AUTH disabled");
    }
}

#[test]
fn where_tls_is_required_plain_http_tells_where_to_go() {
    let certificates = Certificates::new();
    let daemon = required(&certificates, "--tls-required");
    let port = daemon.https().port();
    for (method, target) in [
        ("GET", "/ping"),
        ("GET", "/stats"),
        ("POST", "/pub?topic=t"),
        ("PUT", "/"),
        ("GET", "/no/such/path"),
        ("GET", "/debug/pprof/"),
        ("PUT", "/config/log_level"),
    ] {
        let answer = daemon.request(method, target, "a");
        let expected = format!(r#"403 {{"message": "TLS_REQUIRED", "https_port": {port}}}"#);
        assert_eq!(answer.line(), expected, "{method} {target}");
        assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
        assert_eq!(answer.header("X-NSQ-Content-Type"), Some("nsq; version=1.0"));
    }
    let config = certificates.anonymous();
    assert_eq!(daemon.secure_request(&config, "GET", "/ping", "").line(), "200 OK");
    let answer = daemon.secure_request(&config, "GET", "/stats?format=json", "");
    assert!(!answer.text().contains("topic_name"), "{}", answer.text());
}

#[test]
fn without_an_https_address_there_is_nowhere_to_go() {
    let certificates = Certificates::new();
    let flags = [
        certificates.flag("tls-cert", "server.pem"),
        certificates.flag("tls-key", "server.key"),
        "--https-address=".to_owned(),
        "--tls-required".to_owned(),
    ];
    let daemon = Daemon::start_with(&flags);
    let expected = r#"403 {"message": "TLS_REQUIRED", "https_port": 0}"#;
    assert_eq!(daemon.get("/ping").line(), expected);
}

#[test]
fn tls_may_be_required_for_tcp_alone() {
    let certificates = Certificates::new();
    let daemon = required(&certificates, "--tls-required=tcp-https");
    assert_eq!(daemon.get("/ping").line(), "200 OK");
    daemon.publish("t", "a");
    assert_eq!(daemon.topic("t")["message_count"], 1);
    for (name, value) in [("tls_required", "1"), ("tls_min_version", "769")] {
        assert_eq!(daemon.get(&format!("/config/{name}")).line(), format!("200 {value}"));
    }
}

/// Whether the daemon takes this client, over TCP and over HTTPS alike.
#[track_caller]
fn takes(daemon: &Daemon, config: &Arc<ClientConfig>) -> bool {
    let mut client = daemon.client();
    client.negotiate(WISH);
    let over_tcp = client.try_start_tls(Arc::clone(config));
    if let Err(error) = &over_tcp {
        let cause = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        assert!(matches!(cause, Some(rustls::Error::AlertReceived(_))), "no alert: {error}");
    }
    let over_https = daemon.try_ping(config);
    assert_eq!(over_tcp.is_ok(), over_https.is_ok(), "{over_tcp:?}, {over_https:?}");
    over_tcp.is_ok()
}

#[test]
fn certificates_of_clients() {
    let certificates = Certificates::new();
    // Policy, then: without a certificate, with a stranger's, with one of our authority.
    let mut cases = vec![
        ("", [true, true, true]),
        ("require", [false, true, true]),
        ("require-verify", [false, false, true]),
    ];
    if is_original() {
        // Taken for "none asked".
        cases.push(("bogus", [true, true, true]));
    }
    for (policy, expected) in cases {
        let daemon = Daemon::start_with(&certificates.policy_flags(policy));
        let names = [None, Some("stranger"), Some("client")];
        for (name, expected) in names.into_iter().zip(expected) {
            let newest = match name {
                None => certificates.anonymous(),
                Some(name) => certificates.with_certificate(name),
            };
            for config in [newest, certificates.of_tls_1_2(name)] {
                assert_eq!(takes(&daemon, &config), expected, "{policy} {name:?}");
            }
        }
        // Any policy means that TLS is required, also over HTTP.
        let status = if policy.is_empty() { 200 } else { 403 };
        assert_eq!(daemon.get("/ping").status, status, "{policy}");
    }
}

#[test]
fn a_policy_leaves_a_requirement_that_was_given() {
    let certificates = Certificates::new();
    let mut flags = certificates.policy_flags("require");
    flags.push("--tls-required=tcp-https".to_owned());
    let daemon = Daemon::start_with(&flags);
    assert_eq!(daemon.get("/ping").line(), "200 OK");
    daemon.refuses("NOP\n", "E_INVALID cannot NOP in current state (TLS required)");
}

#[test]
fn require_needs_no_authority() {
    let certificates = Certificates::new();
    let daemon = required(&certificates, "--tls-client-auth-policy=require");
    assert!(takes(&daemon, &certificates.with_certificate("stranger")));
    assert!(!takes(&daemon, &certificates.anonymous()));
}

#[test]
fn old_versions_of_tls_can_be_refused() {
    let certificates = Certificates::new();
    for (version, number, takes_old) in [
        ("tls1.0", 769, true),
        ("tls1.1", 770, true),
        ("tls1.2", 771, true),
        ("TLS1.3", 772, false),
    ] {
        let daemon = required(&certificates, &format!("--tls-min-version={version}"));
        assert!(takes(&daemon, &certificates.anonymous()));
        assert_eq!(takes(&daemon, &certificates.of_tls_1_2(None)), takes_old, "{version}");
        let answer = daemon.get("/config/tls_min_version");
        assert_eq!(answer.line(), format!("200 {number}"));
    }
}

/// Why a daemon with these flags does not start; empty if it does.
fn refusal(flags: &[String]) -> String {
    let directory = tempfile::tempdir().expect("there is room for temporary files");
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    try_start(directory.path(), &flags).err().unwrap_or_default()
}

#[test]
fn files_that_do_not_fit_are_refused_at_the_start() {
    let certificates = Certificates::new();
    certificates.write("garbage.pem", "no certificate\n");
    let missing = certificates.path("missing").display().to_string();
    let cert = |name| certificates.flag("tls-cert", name);
    let key = |name| certificates.flag("tls-key", name);
    let root = |name| certificates.flag("tls-root-ca-file", name);
    let no_file = format!("open {missing}: no such file or directory");
    // The original does not name the file.
    let reason = |original: &str, file, ours: &str| match is_original() {
        true => original.to_owned(),
        false => format!("{}: {ours}", certificates.path(file).display()),
    };
    let no_name = match is_original() {
        true => "open : no such file or directory",
        false => "--tls-cert and --tls-key need each other",
    };
    let no_name = no_name.to_owned();
    let no_data = "tls: failed to find any PEM data in certificate input";
    let no_data = reason(no_data, "garbage.pem", "there is no certificate in it");
    let no_key = "tls: failed to find any PEM data in key input";
    let no_key = reason(no_key, "garbage.pem", "there is no private key in it");
    let other_key = "tls: private key does not match public key";
    let other_key = reason(other_key, "client.key", "it is not the key of ");
    let no_pool = "failed to append certificate to pool";
    let no_pool = reason(no_pool, "garbage.pem", "there is no certificate in it");
    let own = [cert("server.pem"), key("server.key")];
    let cases: Vec<(Vec<String>, &str, String)> = vec![
        (vec![cert("missing"), key("server.key")], "TLS", no_file.clone()),
        (vec![cert("server.pem"), key("missing")], "TLS", no_file.clone()),
        (vec![cert("server.pem")], "TLS", no_name.clone()),
        (vec![key("server.key")], "TLS", no_name),
        (vec![cert("garbage.pem"), key("server.key")], "TLS", no_data),
        (vec![cert("server.pem"), key("garbage.pem")], "TLS", no_key),
        (vec![cert("server.pem"), key("client.key")], "TLS", other_key),
        ([&own[..], &[root("missing")]].concat(), "TLS", no_file.clone()),
        ([&own[..], &[root("garbage.pem")]].concat(), "TLS", no_pool.clone()),
        (vec![root("missing")], "client TLS", no_file),
        (vec![root("garbage.pem")], "client TLS", no_pool),
    ];
    for (flags, what, reason) in cases {
        let refused = refusal(&flags);
        let expected =
            format!("failed to instantiate nsqd - failed to build {what} config - {reason}");
        assert!(refused.starts_with(&expected), "{flags:?}: {refused}, not {expected}");
    }
    let needless = "failed to instantiate nsqd - \
                    cannot require TLS client connections without TLS key and cert";
    for flag in [
        "--tls-required",
        "--tls-required=tcp-https",
        "--tls-client-auth-policy=require",
        "--tls-client-auth-policy=require-verify",
    ] {
        let refused = refusal(&[flag.to_owned()]);
        assert!(refused.starts_with(needless), "{flag}: {refused}");
    }
}
