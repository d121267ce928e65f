//! What pages need beyond the API: headers, statuses, redirects, forms.

use crate::daemon::Daemon;

#[tokio::test]
async fn headers_and_statuses() {
    let daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    assert_eq!(
        client.ask("GET /page HTTP/1.1\r\nHost: x\r\n\r\n").await,
        "\
HTTP/1.1 404 Not Found
Content-Length: 10
Content-Type: text/html; charset=utf-8
Set-Cookie: a=1
Set-Cookie: b=2
X-Count: 3

<p>not</p>"
    );
    assert_eq!(
        client.ask("GET /refused HTTP/1.1\r\nHost: x\r\n\r\n").await,
        "\
HTTP/1.1 403 Forbidden
Content-Length: 23
Content-Type: application/json; charset=utf-8
Retry-After: 5
X-Nsq-Content-Type: nsq; version=1.0
X-Why: because

{\"message\":\"FORBIDDEN\"}"
    );
}

#[tokio::test]
async fn see_other_escapes_what_no_header_holds() {
    let daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    assert_eq!(
        client.ask("GET /see/a%0D%0AX-Evil:%20b%C3%A9%22 HTTP/1.1\r\nHost: x\r\n\r\n").await,
        "\
HTTP/1.1 303 See Other
Content-Length: 0
Location: /a%0D%0AX-Evil:%20b%C3%A9\"

"
    );
    assert!(client.is_usable().await);
}

#[tokio::test]
async fn forms() {
    let daemon = Daemon::start().await;
    let form = "application/x-www-form-urlencoded";
    let utf_8 = "Application/X-WWW-Form-urlencoded ; charset=UTF-8";
    let too_long = format!("a={}", "x".repeat(200_000));
    for (content_type, body, expected) in [
        (form, &b"name=a+b%26%C3%A9&other=2"[..], "200 a b&é"),
        (utf_8, b"other=2&name=1&name=2", "200 1"),
        ("", b"name=", "200 "),
        (form, b"", "400 MISSING_ARG_NAME"),
        (form, b"name=1&x=%zz", "400 INVALID_REQUEST"),
        (form, b"name=1;x=2", "400 INVALID_REQUEST"),
        (form, b"name=\xff", "400 INVALID_REQUEST"),
        (form, too_long.as_bytes(), "413 BODY_TOO_BIG"),
        ("text/plain", b"name=1", "415 UNSUPPORTED_MEDIA_TYPE"),
        ("multipart/form-data; boundary=a", b"--a--", "415 UNSUPPORTED_MEDIA_TYPE"),
        ("application/x-www-form-urlencodedX", b"name=1", "415 UNSUPPORTED_MEDIA_TYPE"),
    ] {
        let mut client = daemon.connect().await;
        let length = body.len();
        let mut request =
            format!("POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n").into_bytes();
        if !content_type.is_empty() {
            request.extend_from_slice(format!("Content-Type: {content_type}\r\n").as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        let response = client.ask(request).await;
        let status = response.split(' ').nth(1).expect("a status");
        let (_, said) = response.split_once("\n\n").expect("a body");
        assert_eq!(format!("{status} {said}"), expected);
    }
}
