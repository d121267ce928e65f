//! Daemons that answer only those who know a token.

use std::net::{IpAddr, Ipv4Addr};

use nsq_sim::{Daemon, binary};

use super::support::{Admin, ask, eventually, token_file};

const TOKEN: &str = "0123456789abcdef";
const BEARER: &str = "Authorization: Bearer 0123456789abcdef";

#[test]
fn daemons_with_tokens_are_asked_and_told_with_one() {
    let (home, data) = [(); 2].map(|()| tempfile::tempdir().expect("a directory")).into();
    let tokens = token_file(&home, TOKEN);
    let guard = format!("--http-token-file={tokens}");
    let lookupd = Daemon::lookupd(&[&guard]);
    let words = [
        binary("nsqd").display().to_string(),
        "--broadcast-address=127.0.0.1".to_owned(),
        format!("--data-path={}", data.path().display()),
        format!("--lookupd-tcp-address={}", lookupd.addresses().tcp),
        format!("--lookupd-http-token-file={tokens}"),
        guard,
    ];
    let nsqd = Daemon::run(words.into(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let (lookupd, nsqd) = (lookupd.addresses().http, nsqd.addresses().http);
    assert_eq!(ask(nsqd, "POST /topic/create?topic=t", &[BEARER], ""), "200 ");
    eventually("nsqlookupd knows of it", || {
        let found = ask(lookupd, "GET /lookup?topic=t", &[BEARER], "");
        found.contains("tcp_port").then_some(())
    });

    let without = [Admin::of_lookupds(&[lookupd], &[]), Admin::of_nsqds(&[nsqd], &[])];
    for admin in without {
        let refused = admin.get("/api/topics");
        assert!(refused.starts_with("502 ") && refused.contains("401 Unauthorized"), "{refused}");
    }
    let flag = format!("--http-client-token-file={tokens}");
    for admin in [Admin::of_lookupds(&[lookupd], &[&flag]), Admin::of_nsqds(&[nsqd], &[&flag])] {
        admin.check("GET /api/topics", r#"200 {"topics":["t"],"message":""}"#);
        admin.check(r#"POST /api/topics/t {"action":"pause"}"#, r#"200 {"message":""}"#);
        let topic = admin.get("/api/topics/t");
        assert!(topic.contains(r#""paused":true"#), "{topic}");
        admin.check(r#"POST /api/topics/t {"action":"unpause"}"#, r#"200 {"message":""}"#);
        // The path is shown and not what it holds.
        let shown = admin.get("/config/http_client_token_file");
        assert_eq!(shown, format!("200 {tokens}"));
    }
}
