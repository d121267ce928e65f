//! One question to one daemon.

use bytes::Bytes;
use hyper::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Failure;
use crate::{HttpAnswer, HttpClient, HttpRequest, HttpUrl, RequestError};

/// What a daemon that wants TLS answers to plain text.
#[derive(Deserialize)]
struct TlsRequired {
    https_port: u16,
}

/// `GET http://<address><target>` as JSON. A daemon that answers with the port of its HTTPS is
/// asked again there.
pub(super) async fn get<T: DeserializeOwned>(
    client: &HttpClient,
    address: &str,
    target: &str,
) -> Result<T, Failure> {
    let answer = answered(client, address, target, None).await;
    answer.and_then(HttpAnswer::json).map_err(|error| failure("Get", address, target, error))
}

/// `POST http://<address><target>` without a body, likewise.
pub(super) async fn post(client: &HttpClient, address: &str, target: &str) -> Result<(), Failure> {
    let answer = answered(client, address, target, Some("")).await;
    let done = answer.and_then(HttpAnswer::success);
    done.map_err(|error| failure("Post", address, target, error))
}

pub(super) fn failure(
    verb: &'static str,
    address: &str,
    target: &str,
    error: RequestError,
) -> Failure {
    Failure { verb, address: address.to_owned(), target: target.to_owned(), error }
}

/// `POST http://<address><target>` with this body, likewise. What a success says is for the caller
/// to judge.
pub(super) async fn post_bytes(
    client: &HttpClient,
    address: &str,
    target: &str,
    body: &Bytes,
) -> Result<HttpAnswer, RequestError> {
    let url = HttpUrl::new(false, address, target);
    let answer = client.post_bytes(&url, body.clone()).await?;
    match secure_url(&url, &answer) {
        None => Ok(answer),
        Some(url) => client.post_bytes(&url, body.clone()).await,
    }
}

async fn answered(
    client: &HttpClient,
    address: &str,
    target: &str,
    form: Option<&str>,
) -> Result<HttpAnswer, RequestError> {
    let url = HttpUrl::new(false, address, target);
    let answer = client.exchange(HttpRequest { url: &url, form }).await?;
    match secure_url(&url, &answer) {
        None => Ok(answer),
        Some(url) => client.exchange(HttpRequest { url: &url, form }).await,
    }
}

/// Where a daemon that wants TLS is to be asked again.
fn secure_url(url: &HttpUrl, answer: &HttpAnswer) -> Option<HttpUrl> {
    if answer.status != StatusCode::FORBIDDEN {
        return None;
    }
    let TlsRequired { https_port } = serde_json::from_slice(&answer.body).ok()?;
    Some(url.on_https_port(https_port))
}

/// The text as a value in a query.
#[must_use]
pub fn query_value(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::query_value;

    #[test]
    fn values_in_queries() {
        for (text, expected) in [
            ("", ""),
            ("a.b-c_9", "a.b-c_9"),
            ("t#ephemeral", "t%23ephemeral"),
            ("a b&c=ü", "a%20b%26c%3D%C3%BC"),
        ] {
            assert_eq!(query_value(text), expected);
        }
    }
}
