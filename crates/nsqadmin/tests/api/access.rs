//! Who may do what.

use nsq_sim::Daemon;

use super::support::{Admin, ask};

const FORBIDDEN: &str = r#"403 {"message":"FORBIDDEN"}"#;

/// All that change something, each with a mistake that would be found next.
const ACTIONS: &[&str] = &[
    "POST /api/topics",
    "POST /api/topics/t",
    "POST /api/topics/t/c",
    "POST /api/topics/t/publish",
    "DELETE /api/topics/*",
    "DELETE /api/topics/*/c",
    "DELETE /api/nodes/127.0.0.1:4151",
    "PUT /config/nsqlookupd_http_addresses",
    "PUT /config/log_level",
];

#[test]
fn only_admins_change_things() {
    let lookupd = Daemon::lookupd(&[]);
    let flags = ["--admin-user=alice", "--admin-user=bob"];
    let admin = Admin::of_lookupds(&[lookupd.addresses().http], &flags);
    for action in ACTIONS {
        let two = &["X-Forwarded-User: bob", "X-Forwarded-User: eve"];
        let others = [&[][..], &["X-Forwarded-User: eve"], &["X-Forwarded-User: "], two];
        for headers in others {
            assert_eq!(ask(admin.address, action, headers, ""), FORBIDDEN, "{action} {headers:?}");
        }
        let answer = ask(admin.address, action, &["X-Forwarded-User: bob"], "");
        let is_mistake = answer.starts_with("400 ") || answer.starts_with("413 ");
        assert!(is_mistake, "{action}: {answer}");
    }
    let created =
        ask(admin.address, "POST /api/topics", &["x-forwarded-user: alice"], r#"{"topic":"t"}"#);
    assert_eq!(created, r#"200 {"message":""}"#);
    admin.check("GET /api/topics", r#"200 {"topics":["t"],"message":""}"#);
}

#[test]
fn the_header_of_the_user_can_be_another() {
    let lookupd = Daemon::lookupd(&[]);
    let flags = ["--admin-user=alice", "--acl-http-header=X-User"];
    let admin = Admin::of_lookupds(&[lookupd.addresses().http], &flags);
    let create = |header| ask(admin.address, "POST /api/topics", &[header], r#"{"topic":"t"}"#);
    assert_eq!(create("X-Forwarded-User: alice"), FORBIDDEN);
    assert_eq!(create("X-User: alice"), r#"200 {"message":""}"#);
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let lookupd = Daemon::lookupd(&[]);
    let admin = Admin::of_lookupds(&[lookupd.addresses().http], &[]);
    for action in ACTIONS {
        for header in ["Origin: http://evil.example", "Sec-Fetch-Site: cross-site"] {
            assert_eq!(ask(admin.address, action, &[header], ""), FORBIDDEN, "{action} {header}");
        }
    }
    let headers = ["Origin: http://admin:1"];
    let created = ask(admin.address, "POST /api/topics", &headers, r#"{"topic":"t"}"#);
    assert_eq!(created, r#"200 {"message":""}"#);
}

#[test]
fn configuration_is_for_those_in_the_range() {
    let lookupd = Daemon::lookupd(&[]);
    let lookupds = [lookupd.addresses().http];
    let admin = Admin::of_lookupds(&lookupds, &["--allow-config-from-cidr=10.0.0.0/8"]);
    admin.check("GET /config/log_level", FORBIDDEN);
    admin.check("GET /config/nosuch", FORBIDDEN);
    assert_eq!(ask(admin.address, "PUT /config/log_level", &[], "debug"), FORBIDDEN);
    for flags in [&["--allow-config-from-cidr="][..], &[]] {
        let admin = Admin::of_lookupds(&lookupds, flags);
        let put = |key, value| ask(admin.address, &format!("PUT /config/{key}"), &[], value);
        admin.check("GET /config/log_level", "200 5");
        admin.check("GET /config/statsd_interval", "200 60000000000");
        admin.check("GET /config/proxy_graphite", "200 false");
        admin.check("GET /config/graphite_url", "200 ");
        admin.check("GET /config/admin_users", "200 []");
        admin.check("GET /config/nosuch", r#"400 {"message":"INVALID_OPTION"}"#);
        assert_eq!(put("log_level", "FATAL"), "200 5");
        assert_eq!(put("log_level", "no"), r#"400 {"message":"INVALID_VALUE"}"#);
        assert_eq!(put("log_level", ""), r#"413 {"message":"INVALID_VALUE"}"#);
        assert_eq!(put("base_path", "/x"), r#"400 {"message":"INVALID_OPTION"}"#);
    }
}

#[test]
fn passwords_in_urls_are_not_shown() {
    let lookupd = Daemon::lookupd(&[]);
    let flags = ["--graphite-url=http://u:se@cret@127.0.0.1:1/g"];
    let admin = Admin::of_lookupds(&[lookupd.addresses().http], &flags);
    admin.check("GET /config/graphite_url", "200 http://u:xxxxx@127.0.0.1:1/g");
}

#[test]
fn other_lookupds_are_asked_from_then_on() {
    let (old, new) = (Daemon::lookupd(&[]), Daemon::lookupd(&[]));
    new.order("/topic/create?topic=t", "");
    let admin = Admin::of_lookupds(&[old.addresses().http], &[]);
    admin.check("GET /api/topics", r#"200 {"topics":null,"message":""}"#);
    let key = "PUT /config/nsqlookupd_http_addresses";
    let list = format!(r#"["{}"]"#, new.addresses().http);
    assert_eq!(ask(admin.address, key, &[], &list), format!("200 {list}"));
    admin.check("GET /config/nsqlookupd_http_addresses", &format!("200 {list}"));
    admin.check("GET /api/topics", r#"200 {"topics":["t"],"message":""}"#);
    for wrong in ["", "x", "{}", "[1]", r#"["a"]"#, r#"["a b:1"]"#, r#"["u@h:1"]"#, "[]"] {
        let answer = ask(admin.address, key, &[], wrong);
        assert!(answer.ends_with(r#"{"message":"INVALID_VALUE"}"#), "{wrong}: {answer}");
    }
}
