//! Pages and their forms, without a browser.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use nsq_sim::command;

use crate::support::{Admin, Cluster, ask, eventually};

/// A token as a browser has it, and as a form of our pages repeats it: behind a mask of zeros.
const COOKIE: &str = "Cookie: nsqadmin_token=0123456789abcdef0123456789abcdef";
const FIELD: &str =
    "nsqadmin_token=000000000000000000000000000000000123456789abcdef0123456789abcdef";

/// Every form that changes something, but for its token.
const FORMS: [(&str, &str); 12] = [
    ("/topics", "topic=made&channel=too"),
    ("/topics/clicks", "action=pause&confirmed=yes"),
    ("/topics/clicks", "action=unpause"),
    ("/topics/clicks", "action=empty&confirmed=yes"),
    ("/topics/clicks", "action=publish&body=hello"),
    ("/topics/clicks/archive", "action=pause&confirmed=yes"),
    ("/topics/clicks/archive", "action=unpause"),
    ("/topics/clicks/archive", "action=empty&confirmed=yes"),
    ("/topics/clicks/archive", "action=delete&confirmed=yes"),
    ("/topics/clicks", "action=tombstone&node=127.0.0.1:1&confirmed=yes"),
    ("/nodes/127.0.0.1:1", "action=tombstone&topic=clicks&confirmed=yes"),
    ("/topics/clicks", "action=delete&confirmed=yes"),
];

#[track_caller]
fn post(admin: SocketAddr, path: &str, headers: &[&str], form: &str) -> String {
    let kind = ["Content-Type: application/x-www-form-urlencoded"];
    ask(admin, &format!("POST {path}"), &[&kind, headers].concat(), form)
}

#[track_caller]
fn done(admin: &Admin, path: &str, form: &str) {
    let answer = post(admin.address, path, &[COOKIE], &format!("{FIELD}&{form}"));
    assert_eq!(answer, "303 ", "{path} {form}");
}

#[test]
fn every_page_is_shown() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let node = format!("/nodes/{}", cluster.nsqd(0));
    for (path, shown) in [
        ("/", ">clicks</a>"),
        ("/topics", ">clicks</a>"),
        ("/topics/clicks", "<h1>Topic: clicks</h1>"),
        ("/topics/clicks/archive", "<h1>Channel: archive</h1>"),
        ("/tail/clicks", "<h1>Tail: clicks</h1>"),
        ("/nodes", "nsqd nodes"),
        (&node, ">archive</a>"),
        ("/counter", "Messages processed"),
        ("/lookup", "There are no inactive topics."),
    ] {
        let page = admin.get(path);
        assert!(page.starts_with("200 <!DOCTYPE html>") && page.contains(shown), "{path}: {page}");
    }
    for path in ["/topics/none", "/topics/clicks/none", "/nodes/none:1", "/tail/none"] {
        let page = admin.get(path);
        assert!(page.starts_with("404 <!DOCTYPE html>"), "{path}: {page}");
    }
    assert_eq!(admin.get("/static/none.js"), "404 NOT_FOUND");
    assert!(admin.get("/static/nsqadmin.js").starts_with("200 "));
    let chinese = ask(admin.address, "GET /lookup", &["Accept-Language: zh-CN"], "");
    assert!(chinese.contains("没有不活跃的主题。"), "{chinese}");
}

#[test]
fn forms_do_what_their_buttons_say() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    done(&admin, "/topics/clicks", "action=pause&confirmed=yes");
    assert!(cluster.stats(0).contains("\"paused\":true"));
    done(&admin, "/topics/clicks", "action=unpause");
    assert!(!cluster.stats(1).contains("\"paused\":true"));
    done(&admin, "/topics/clicks", "action=publish&body=hello");
    let counts = format!("{}{}", cluster.stats(0), cluster.stats(1));
    assert_eq!(counts.matches("\"message_bytes\":5").count(), 1, "{counts}");
    done(&admin, "/topics/clicks/archive", "action=empty&confirmed=yes");
    done(&admin, "/topics/clicks/archive", "action=delete&confirmed=yes");
    assert!(!cluster.stats(0).contains("archive"));
    let node = cluster.nsqd(0);
    let tombstone = format!("action=tombstone&node={node}&confirmed=yes");
    done(&admin, "/topics/clicks", &tombstone);
    assert!(!cluster.stats(0).contains("clicks"));
    done(&admin, "/topics/clicks", "action=delete&confirmed=yes");
    assert!(!cluster.stats(1).contains("clicks"));
    done(&admin, "/topics", "topic=made&channel=too");
    assert!(cluster.registered("/channels?topic=made").contains("too"));
}

/// Without scripting there is no dialog.
#[test]
fn what_destroys_is_asked_first() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    for (path, form) in FORMS.into_iter().filter(|(_, form)| form.contains("confirmed")) {
        let form = form.replace("confirmed=yes", "confirmed=no");
        let page = post(admin.address, path, &[COOKIE], &format!("{FIELD}&{form}"));
        assert!(page.starts_with("200 ") && page.contains("Are you sure?"), "{form}: {page}");
        assert!(page.contains(r#"name="confirmed" value="yes""#), "{form}: {page}");
    }
    assert!(cluster.stats(0).contains("archive"));
}

#[test]
fn forms_of_others_are_refused() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let own = Admin::of_lookupds(&[cluster.lookupd()], &["--admin-user=bob"]);
    // The rest tells of the process.
    let topics = |stats: String| stats.split("\"memory\"").next().map(str::to_owned);
    let before = topics(cluster.stats(0));
    for (path, form) in FORMS {
        let check = |admin: &Admin, headers: &[&str], form: &str| {
            let answer = post(admin.address, path, headers, form);
            assert!(answer.starts_with("403 "), "{path} {form} {headers:?}: {answer}");
        };
        let whole = format!("{FIELD}&{form}");
        check(&admin, &[], &whole);
        check(&admin, &[COOKIE], form);
        check(&admin, &[COOKIE], &format!("{}&{form}", FIELD.replace('a', "b")));
        check(&admin, &[COOKIE, "Origin: http://elsewhere:1"], &whole);
        check(&admin, &[COOKIE, "Sec-Fetch-Site: cross-site"], &whole);
        check(&own, &[COOKIE], &whole);
        check(&own, &[COOKIE, "X-Forwarded-User: eve"], &whole);
    }
    assert_eq!(topics(cluster.stats(0)), before);
    let page = own.get("/topics/clicks");
    assert!(!page.contains("method=\"post\""), "a viewer is offered nothing: {page}");
    assert!(own.get("/tail/clicks").starts_with("403 "));
}

#[test]
fn what_others_call_themselves_is_only_text() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let hostile = "\\\"><script>alert(1)</script>\\r\\ndata: x";
    let identify =
        format!(r#"{{"user_agent":"{hostile}","client_id":"{hostile}","hostname":"{hostile}"}}"#);
    let length = u32::try_from(identify.len()).expect("it is short").to_be_bytes();
    let mut consumer = TcpStream::connect(cluster.nsqds[0].addresses().tcp).expect("it listens");
    let subscribe = command::subscribe("clicks", "archive");
    let bytes = [b"  V2IDENTIFY\n", &length[..], identify.as_bytes(), &subscribe].concat();
    consumer.write_all(&bytes).expect("it reads");
    for path in ["/topics/clicks/archive".to_owned(), format!("/nodes/{}", cluster.nsqd(0))] {
        let page = eventually("the consumer is shown", || {
            Some(admin.get(&path)).filter(|page| page.contains("alert(1)"))
        });
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    }
    let names = ["%3Cscript%3Ealert(1)%3C%2Fscript%3E", "%22%3E%3Cb%3E"];
    for name in names {
        for path in [format!("/topics/{name}"), format!("/?match={name}"), format!("/nodes/{name}")]
        {
            let page = admin.get(&path);
            assert!(!page.contains("<script>alert") && !page.contains("\"><b>"), "{path}: {page}");
        }
    }
}
