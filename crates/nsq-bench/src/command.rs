//! Encoders of the small commands a benchmark client sends.
//!
//! The protocol is written down here a second time, on purpose: a mistake in the daemon's own
//! encoders must not be able to hide behind the same mistake in the program that measures it.

use serde::Serialize;

use crate::wishes::Wishes;

/// First bytes of every connection: protocol version 2.
pub(crate) const MAGIC: &[u8; 4] = b"  V2";
/// The answer to a heartbeat.
pub(crate) const NOP: &[u8] = b"NOP\n";
/// Asks for no more messages; answered by `CLOSE_WAIT`.
pub(crate) const CLS: &[u8] = b"CLS\n";

/// What a connection tells the daemon about itself; absent fields keep the daemon's defaults.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Identify {
    pub(crate) client_id: String,
    pub(crate) user_agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) heartbeat_interval: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_buffer_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_buffer_timeout: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) msg_timeout: Option<i64>,
    #[serde(flatten)]
    pub(crate) wishes: Option<Wishes>,
}

impl Identify {
    /// The default settings of a client, under the name every benchmark connection has.
    pub(crate) fn new() -> Self {
        Self {
            client_id: "nsq-bench".to_owned(),
            user_agent: concat!("nsq-bench/", env!("CARGO_PKG_VERSION")).to_owned(),
            ..Self::default()
        }
    }
}

/// Encodes `IDENTIFY`: the line, a 4-byte size, the JSON.
pub(crate) fn identify(identify: &Identify) -> Vec<u8> {
    let json = serde_json::to_vec(identify).expect("strings and integers always serialize");
    let size = u32::try_from(json.len()).expect("an IDENTIFY body is a few hundred bytes");
    let mut bytes = b"IDENTIFY\n".to_vec();
    bytes.extend_from_slice(&size.to_be_bytes());
    bytes.extend_from_slice(&json);
    bytes
}

/// Encodes `SUB`.
pub(crate) fn subscribe(topic: &str, channel: &str) -> Vec<u8> {
    format!("SUB {topic} {channel}\n").into_bytes()
}

/// Encodes `RDY`.
pub(crate) fn ready(count: u32) -> Vec<u8> {
    format!("RDY {count}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_commands_match_the_protocol_description() {
        assert_eq!(MAGIC, &[0x20, 0x20, 0x56, 0x32]);
        assert_eq!(subscribe("t", "c"), b"SUB t c\n");
        assert_eq!(ready(2500), b"RDY 2500\n");
    }

    #[test]
    fn identify_leaves_out_what_was_not_set() {
        let identify = Identify {
            client_id: "a".to_owned(),
            user_agent: "b".to_owned(),
            msg_timeout: Some(1000),
            ..Identify::default()
        };
        let json = br#"{"client_id":"a","user_agent":"b","msg_timeout":1000}"#;
        let mut expected = b"IDENTIFY\n\x00\x00\x00".to_vec();
        expected.push(u8::try_from(json.len()).unwrap());
        expected.extend_from_slice(json);
        assert_eq!(super::identify(&identify), expected);
    }
}
