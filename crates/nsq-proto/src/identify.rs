//! What a client says about itself.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::{ErrorCode, ProtocolError};

/// The JSON of an IDENTIFY, types checked, ranges not. Absent fields have the value that means
/// "nothing asked": empty, false or 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentifyRequest {
    /// What the client calls itself.
    pub client_id: String,
    /// The host it runs on.
    pub hostname: String,
    /// Its program and library.
    pub user_agent: String,
    /// Whether it wants the JSON answer and understands upgrades.
    pub feature_negotiation: bool,
    /// Milliseconds between heartbeats; -1 for none.
    pub heartbeat_interval: i64,
    /// Bytes of output buffer; -1 for none.
    pub output_buffer_size: i64,
    /// Milliseconds that output may wait in the buffer; -1 for no bound.
    pub output_buffer_timeout: i64,
    /// Percentage of messages to deliver.
    pub sample_rate: i32,
    /// Milliseconds until an unanswered message is queued again.
    pub msg_timeout: i64,
    /// Whether to upgrade to TLS.
    pub tls_v1: bool,
    /// Whether to compress with snappy.
    pub snappy: bool,
    /// Whether to compress with deflate.
    pub deflate: bool,
    /// The level of deflate; 0 or less for the default.
    pub deflate_level: i64,
    /// Where it runs. Go NSQ after 1.3.
    pub topology: Topology,
}

/// A place in the world: two consumers or daemons are near each other when these are equal. An
/// empty name is a name like any other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Many zones, e.g. `eu-west-1`.
    pub region: String,
    /// The part that shares a network, e.g. `eu-west-1a`.
    pub zone: String,
}

impl IdentifyRequest {
    /// Reads the body of an IDENTIFY with the rules of Go's JSON decoder: keys match in any case,
    /// the last of several wins, `null` says nothing, integers are written without dot and
    /// exponent, bytes that are no UTF-8 become U+FFFD.
    pub fn parse(body: &[u8]) -> Result<Self, ProtocolError> {
        serde_json::from_str::<Option<Self>>(&with_replacements(body))
            .map(Option::unwrap_or_default)
            .map_err(|_| {
                ProtocolError::new(ErrorCode::BadBody, "IDENTIFY failed to decode JSON body")
            })
    }
}

/// The text of `body`, one U+FFFD for each byte that is no UTF-8. Outside JSON strings that is as
/// wrong as the byte itself.
fn with_replacements(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

impl<'de> Deserialize<'de> for IdentifyRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RequestVisitor)
    }
}

struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = IdentifyRequest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<IdentifyRequest, A::Error> {
        let mut request = IdentifyRequest::default();
        while let Some(mut key) = map.next_key::<String>()? {
            key.make_ascii_lowercase();
            match key.as_str() {
                "client_id" => assign(&mut request.client_id, &mut map)?,
                "hostname" => assign(&mut request.hostname, &mut map)?,
                "user_agent" => assign(&mut request.user_agent, &mut map)?,
                "feature_negotiation" => assign(&mut request.feature_negotiation, &mut map)?,
                "heartbeat_interval" => assign(&mut request.heartbeat_interval, &mut map)?,
                "output_buffer_size" => assign(&mut request.output_buffer_size, &mut map)?,
                "output_buffer_timeout" => assign(&mut request.output_buffer_timeout, &mut map)?,
                "sample_rate" => assign(&mut request.sample_rate, &mut map)?,
                "msg_timeout" => assign(&mut request.msg_timeout, &mut map)?,
                "tls_v1" => assign(&mut request.tls_v1, &mut map)?,
                "snappy" => assign(&mut request.snappy, &mut map)?,
                "deflate" => assign(&mut request.deflate, &mut map)?,
                "deflate_level" => assign(&mut request.deflate_level, &mut map)?,
                "topology_region" => assign(&mut request.topology.region, &mut map)?,
                "topology_zone" => assign(&mut request.topology.zone, &mut map)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(request)
    }
}

/// Takes the next value for `field`, unless it is `null`.
fn assign<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    field: &mut T,
    map: &mut A,
) -> Result<(), A::Error> {
    if let Some(value) = map.next_value::<Option<T>>()? {
        *field = value;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &str) -> Option<IdentifyRequest> {
        IdentifyRequest::parse(body.as_bytes()).ok()
    }

    #[test]
    fn every_field() {
        let request = parsed(
            r#"{"client_id":"c","hostname":"h","user_agent":"u","feature_negotiation":true,
            "heartbeat_interval":1,"output_buffer_size":-1,"output_buffer_timeout":3,
            "sample_rate":4,"msg_timeout":5,"tls_v1":true,"snappy":true,"deflate":true,
            "deflate_level":6,"short_id":1,"long_id":[],"topology_zone":"z",
            "topology_region":"r"}"#,
        );
        let expected = IdentifyRequest {
            client_id: "c".into(),
            hostname: "h".into(),
            user_agent: "u".into(),
            feature_negotiation: true,
            heartbeat_interval: 1,
            output_buffer_size: -1,
            output_buffer_timeout: 3,
            sample_rate: 4,
            msg_timeout: 5,
            tls_v1: true,
            snappy: true,
            deflate: true,
            deflate_level: 6,
            topology: Topology { region: "r".into(), zone: "z".into() },
        };
        assert_eq!(request, Some(expected));
    }

    #[test]
    fn tolerated() {
        let named = |client_id: &str| {
            Some(IdentifyRequest { client_id: client_id.into(), ..Default::default() })
        };
        assert_eq!(parsed("null"), named(""));
        assert_eq!(parsed(" {} \n"), named(""));
        assert_eq!(parsed(r#"{"CLIENT_Id":"a"}"#), named("a"));
        assert_eq!(parsed(r#"{"client_id":"a","Client_ID":"b"}"#), named("b"));
        assert_eq!(parsed(r#"{"client_id":"a","client_id":null}"#), named("a"));
        assert_eq!(parsed(r#"{"deflate":null,"heartbeat_interval":null}"#), named(""));
        assert_eq!(
            IdentifyRequest::parse(b"{\"client_id\":\"a\xff\xe2\x82b\"}").ok(),
            named("a\u{fffd}\u{fffd}\u{fffd}b")
        );
        let large = parsed(r#"{"msg_timeout":-9223372036854775808}"#).unwrap();
        assert_eq!(large.msg_timeout, i64::MIN);
    }

    #[test]
    fn refused() {
        for body in [
            "",
            " ",
            "{",
            "{}x",
            "{}{}",
            "[]",
            "1",
            "\"a\"",
            "true",
            r#"{"client_id":1}"#,
            r#"{"client_id":"a" "hostname":"b"}"#,
            r#"{"feature_negotiation":1}"#,
            r#"{"tls_v1":"true"}"#,
            r#"{"heartbeat_interval":"1000"}"#,
            r#"{"heartbeat_interval":1000.0}"#,
            r#"{"heartbeat_interval":1e3}"#,
            r#"{"heartbeat_interval":1000.5}"#,
            r#"{"heartbeat_interval":true}"#,
            r#"{"msg_timeout":9223372036854775808}"#,
            r#"{"sample_rate":2147483648}"#,
            r#"{"unknown":}"#,
            r#"{"deflate":nul}"#,
            "{\"client_id\":\"a\nb\"}",
            "\u{feff}{}",
        ] {
            let error = IdentifyRequest::parse(body.as_bytes()).expect_err(body);
            assert_eq!(error.text(), b"E_BAD_BODY IDENTIFY failed to decode JSON body");
        }
        assert!(IdentifyRequest::parse(b"{}\xff").is_err());
    }
}
