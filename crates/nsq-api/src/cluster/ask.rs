//! One question to one daemon.

use hyper::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Failure;
use crate::{HttpClient, HttpRequest, HttpUrl, RequestError};

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
    let url = HttpUrl::new(false, address, target);
    answered(client, &url).await.map_err(|error| Failure {
        address: address.to_owned(),
        target: target.to_owned(),
        error,
    })
}

async fn answered<T: DeserializeOwned>(
    client: &HttpClient,
    url: &HttpUrl,
) -> Result<T, RequestError> {
    let answer = client.exchange(HttpRequest { url, form: None }).await?;
    if answer.status != StatusCode::FORBIDDEN {
        return answer.json();
    }
    let Ok(TlsRequired { https_port }) = serde_json::from_slice(&answer.body) else {
        return answer.json();
    };
    let url = url.on_https_port(https_port);
    client.exchange(HttpRequest { url: &url, form: None }).await?.json()
}

/// The text as a value in a query.
pub(super) fn query_value(text: &str) -> String {
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
