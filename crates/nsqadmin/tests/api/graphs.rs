//! Graphs on pages, and what graphite draws handed on.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::support::{Admin, Cluster, nobody};

/// A graphite that answers one request with these bytes; the head of the request is returned.
fn graphite(answer: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let asked = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody connects");
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while reader.read_line(&mut head).expect("text") > 2 {}
        match reader.get_mut().write_all(&answer) {
            // Whoever has read enough may have gone.
            Ok(()) | Err(_) => head,
        }
    });
    (address, asked)
}

fn answer(status: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nSet-Cookie: graphite=1\r\n\
         Location: http://evil/\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// One that shows graphs through itself.
fn proxy(graphite: &str, flags: &[&str]) -> Admin {
    let url = format!("--graphite-url={graphite}");
    let flags: Vec<_> =
        [&*url, "--proxy-graphite"].into_iter().chain(flags.iter().copied()).collect();
    Admin::of_nsqds(&[nobody()], &flags)
}

/// Head and body of an answer.
#[track_caller]
fn whole(admin: &Admin, target: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(admin.address).expect("it listens");
    let request = format!("GET {target} HTTP/1.0\r\nHost: admin:1\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("a whole answer");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).expect("text").to_lowercase(), body)
}

#[test]
fn what_graphite_draws_is_handed_on() {
    let picture = b"\x89PNG\r\n\x1a\n\xff\x00";
    let (address, asked) = graphite(answer("200 OK", "image/png", picture));
    let admin = proxy(&format!("http://u:p%40ss@{address}/below/"), &["--base-path=/admin"]);
    let headers = "Cookie: a=b\r\nAuthorization: Basic eA==\r\nX-Forwarded-For: 10.0.0.9\r\n";
    let target = "/admin/render?width=120&target=sumSeries%28a.%2A%29&target=b";
    let (head, body) = whole(&admin, target, headers);
    assert_eq!(body, picture);
    assert!(head.starts_with("http/1.0 200 ok\r\n"), "{head}");
    for line in [
        "content-type: image/png\r\n",
        "cache-control: no-store\r\n",
        "x-content-type-options: nosniff\r\n",
        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'; sandbox\r\n",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(!head.contains("cookie") && !head.contains("location"), "{head}");
    let asked = asked.join().expect("no panic").to_lowercase();
    let first = "get /below/render?width=120&target=sumseries%28a.%2a%29&target=b http/1.1\r\n";
    assert!(asked.starts_with(first), "{asked}");
    for line in [
        "authorization: basic dtpwqhnz\r\n",
        "x-forwarded-for: 10.0.0.9, 127.0.0.1\r\n",
        &format!("host: {address}\r\n"),
    ] {
        assert!(asked.contains(line), "{line} in {asked}");
    }
    assert!(!asked.contains("cookie") && !asked.contains("ea=="), "{asked}");
}

#[track_caller]
fn check(answer: Vec<u8>, expected: &str) {
    let (address, asked) = graphite(answer);
    let admin = proxy(&format!("http://{address}"), &[]);
    let said = admin.get("/render?target=a");
    assert!(said.starts_with(expected), "{said:.300}, not {expected}");
    asked.join().expect("no panic");
}

#[test]
fn only_pictures_and_data_are_handed_on() {
    check(answer("200 OK", "application/json", b"[]"), "200 []");
    check(answer("400 Bad Request", "text/plain", b"no target"), "400 no target");
    check(answer("500 Oh", "text/csv", b"a,b"), "500 a,b");
    let refused = "502 UPSTREAM_ERROR: graphite - got response ";
    for content_type in ["text/html", "text/javascript", "application/xml", "image/png, text/html"]
    {
        let answer = answer("200 OK", content_type, b"<script>alert(1)</script>");
        check(answer, &format!("{refused}200 OK of type"));
    }
    check(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx".to_vec(),
        &format!("{refused}200 OK of no"),
    );
    check(answer("302 Found", "image/png", b""), &format!("{refused}302"));
    check(answer("304 Not Modified", "image/png", b""), &format!("{refused}304"));
    check(b"what?\r\n\r\n".to_vec(), "502 UPSTREAM_ERROR: graphite - ");
}

#[test]
fn an_answer_has_a_bound() {
    let most = vec![b'x'; 8 << 20];
    let (address, asked) = graphite(answer("200 OK", "text/plain", &most));
    let (_, body) = whole(&proxy(&format!("http://{address}"), &[]), "/render?target=a", "");
    assert_eq!(body.len(), most.len());
    asked.join().expect("no panic");
    let too_much = vec![b'x'; (8 << 20) + 1];
    check(answer("200 OK", "image/png", &too_much), "502 UPSTREAM_ERROR: graphite - body too long");
}

#[test]
fn graphite_that_does_not_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("it is bound");
    let url = format!("http://{address}");
    let admin = proxy(&url, &["--http-client-request-timeout=50ms"]);
    let said = admin.get("/render?target=a");
    assert_eq!(said, "502 UPSTREAM_ERROR: graphite - no answer in time");
    let said = proxy(&format!("http://{}", nobody()), &[]).get("/render?target=a");
    assert!(said.starts_with("502 UPSTREAM_ERROR: graphite - "), "{said}");
}

#[test]
fn without_proxying_nothing_is_handed_on() {
    for flags in [&["--graphite-url=http://127.0.0.1:1"][..], &["--proxy-graphite"], &[]] {
        let said = Admin::of_nsqds(&[nobody()], flags).get("/render?target=a");
        assert!(said.starts_with("404 "), "{flags:?}: {said}");
    }
}

/// All values of an attribute, unescaped.
fn values(page: &str, attribute: &str) -> Vec<String> {
    let begin = format!(" {attribute}=\"");
    let parts = page.split(&*begin).skip(1);
    let values = parts.map(|part| part.split('"').next().unwrap_or_default());
    values.map(|value| value.replace("&amp;", "&").replace("&quot;", "\"")).collect()
}

/// Of a page: the pictures that come from there.
fn pictures(page: &str, begin: &str) -> Vec<String> {
    values(page, "src").into_iter().filter(|source| source.starts_with(begin)).collect()
}

#[test]
fn pages_have_pictures() {
    let cluster = Cluster::with_clicks();
    let flags =
        ["--graphite-url=http://u:secret@graphite.example:8080/g/", "--statsd-interval=10s"];
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &flags);
    let node = cluster.nsqd(0).to_string();
    let key = node.replace(['.', ':'], "_");
    for (target, count, alt) in [
        ("/", 2, "Depth of clicks, last 2h".to_owned()),
        ("/topics/clicks", 6 + 7, format!("Messages of clicks, {node}, last 2h")),
        ("/topics/clicks/archive", 3 * 7, format!("In flight of clicks/archive, {node}, last 2h")),
        (&format!("/nodes/{node}"), 4, format!("Memory of {node}, last 2h")),
        ("/counter", 1, "Messages/s of all channels, last 2h".to_owned()),
    ] {
        let (head, page) = whole(&admin, target, "");
        let page = String::from_utf8(page).expect("text");
        assert!(!page.contains("secret"), "{target}");
        let policy = "img-src 'self' http://graphite.example:8080\r\n";
        assert!(head.contains(policy), "{target}: {head}");
        let begin = "http://graphite.example:8080/g/render?";
        let found = pictures(&page, begin);
        // There are more with percentiles, which come with the first message that is finished.
        assert!(found.len() >= count, "{target}: {found:#?}");
        let links = values(&page, "href").into_iter().filter(|link| link.starts_with(begin));
        let large = links.filter(|link| link.contains("height=450&width=800")).count();
        assert_eq!(large, found.len(), "{target}");
        assert!(found.iter().all(|source| !source.contains("target%5B")), "{target}");
        assert!(values(&page, "alt").contains(&alt), "{target}: {:#?}", values(&page, "alt"));
        assert_eq!(page.matches("loading=\"lazy\"").count(), found.len(), "{target}");
    }
    let page = admin.get("/topics/clicks");
    let target = format!("sumSeries%28stats.gauges.nsq.{key}.topic.clicks.depth%29%2C%2210sec%22");
    assert!(page.contains(&target), "{target}");
}

#[test]
fn pictures_of_our_own_when_proxying() {
    let cluster = Cluster::with_clicks();
    let flags = ["--graphite-url=http://g/", "--proxy-graphite", "--base-path=/admin"];
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &flags);
    let (head, page) = whole(&admin, "/admin/topics/clicks", "Accept-Language: zh\r\n");
    let page = String::from_utf8(page).expect("text");
    assert!(head.contains("img-src 'self'\r\n") && !page.contains("http://g"), "{head}");
    assert!(pictures(&page, "/admin/render?").len() >= 13, "{page}");
    assert!(values(&page, "alt").iter().any(|alt| alt == "clicks 的深度，最近 2h"));
}

#[test]
fn without_graphite_there_are_no_graphs() {
    let cluster = Cluster::with_clicks();
    for flags in [&[][..], &["--graphite-url=graphite"], &["--proxy-graphite"]] {
        let admin = Admin::of_lookupds(&[cluster.lookupd()], flags);
        let (head, page) = whole(&admin, "/topics/clicks?t=12h", "");
        let page = String::from_utf8(page).expect("text");
        assert!(!page.contains("<img") && !page.contains("timeframe"), "{flags:?}");
        assert!(head.contains("img-src 'self'\r\n") && !head.contains("timeframe"), "{head}");
    }
}

#[test]
fn a_time_frame_is_remembered() {
    let cluster = Cluster::with_clicks();
    let flags = ["--graphite-url=http://g", "--base-path=/admin"];
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &flags);
    let look = |target: &str, cookie: &str| {
        let (head, page) = whole(&admin, target, &format!("Cookie: {cookie}\r\n"));
        let page = String::from_utf8(page).expect("text");
        let option = page.split(" selected").next().unwrap_or_default();
        let chosen = values(option, "value").pop().unwrap_or_default();
        let drawn = pictures(&page, "http://g/render?");
        let span = format!("from=-{chosen}&");
        assert!(drawn.iter().all(|source| source.contains(&span)), "{drawn:?}");
        let cookie = head.lines().find(|line| line.starts_with("set-cookie: nsqadmin_timeframe"));
        (chosen, !drawn.is_empty(), cookie.map(str::to_owned))
    };
    let told = |name: &str| {
        let attributes = "path=/admin; max-age=31536000; httponly; samesite=lax";
        Some(format!("set-cookie: nsqadmin_timeframe={name}; {attributes}"))
    };
    let topic = "/admin/topics/clicks";
    assert_eq!(look(topic, "a=b"), ("2h".to_owned(), true, None));
    assert_eq!(look(topic, "nsqadmin_timeframe=48h"), ("48h".to_owned(), true, None));
    let with = |query: &str| format!("{topic}?sort=depth&t={query}");
    assert_eq!(look(&with("12h"), "a=b"), ("12h".to_owned(), true, told("12h")));
    let changed = look(&with("off"), "a=b; nsqadmin_timeframe=48h");
    assert_eq!(changed, ("off".to_owned(), false, told("off")));
    assert_eq!(look(&with("1h"), "nsqadmin_timeframe=1h"), ("1h".to_owned(), true, None));
    for wrong in ["3h", "%22%3E%3Cscript%3E", "2h%26target=x"] {
        let cookie = format!("nsqadmin_timeframe={wrong}");
        assert_eq!(look(&with(wrong), &cookie), ("2h".to_owned(), true, None), "{wrong}");
    }
    let page = admin.get("/admin/topics/clicks?sort=%22%3E%3Cb%3E&match=cli&t=1h");
    let (_, form) = page.split_once("class=\"timeframe\"").expect("a form");
    let (form, _) = form.split_once("</form>").expect("its end");
    assert!(form.contains(r#"name="sort" value="&quot;&gt;&lt;b&gt;""#), "{form}");
    assert!(form.contains(r#"name="match" value="cli""#), "{form}");
}
