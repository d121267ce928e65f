//! What comes in the bodies of IDENTIFY and AUTH.

use std::time::Duration;

use nsq_proto::{
    Admission, ClientSettings, Command, Decoded, Decoder, Fatal, IdentifyAnswer, IdentifyLimits,
    IdentifyRequest, Limits, ProtocolError, Topology,
};

/// Longest text by which a client describes itself.
const DESCRIPTION_BYTES_MAX: usize = 1024;

/// The JSON of an IDENTIFY: white space around it changes nothing, what is agreed lies within the
/// limits, and the answer is JSON.
pub fn identify_body(data: &[u8]) -> bool {
    let parsed = IdentifyRequest::parse(data);
    assert!(IdentifyRequest::parse(&[b" \n", data, b"\t\r"].concat()) == parsed);
    let Ok(request) = parsed else { return false };
    // Only a daemon that has both can refuse to compress twice.
    let plain = apply(&request, &IdentifyLimits::default());
    let able = IdentifyLimits {
        tls_available: true,
        snappy_enabled: true,
        deflate_enabled: true,
        max_deflate_level: 9,
        topology: Topology { region: "<r>".to_owned(), zone: "z".to_owned() },
        ..IdentifyLimits::default()
    };
    apply(&request, &able) && plain
}

fn apply(request: &IdentifyRequest, limits: &IdentifyLimits) -> bool {
    let mut settings = ClientSettings::new("127.0.0.1", limits);
    let answer = settings.apply(request.clone(), limits);
    let Ok(answer) = answer else { return false };
    check_settings(&settings, limits);
    let first = settings.delivery();
    assert!(settings.is_identified());
    if let IdentifyAnswer::Negotiated(features) = answer {
        assert!(!(features.snappy && features.deflate));
        assert!((1..=limits.max_deflate_level).contains(&features.deflate_level));
        assert!(limits.tls_available || !features.tls);
        let json = settings.response_json(&features, limits, "1.3.0");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("our own JSON");
        assert!(json["sample_rate"] == settings.sample_rate);
    }
    // The same again is answered the same, and changes nothing.
    let before = settings.clone();
    assert!(settings.apply(request.clone(), limits) == Ok(answer));
    assert!(settings == before && settings.delivery() == first);
    true
}

fn check_settings(settings: &ClientSettings, limits: &IdentifyLimits) {
    let second = Duration::from_secs(1);
    let heartbeats = second..=limits.max_heartbeat_interval;
    assert!(settings.heartbeat_interval.is_none_or(|interval| heartbeats.contains(&interval)));
    assert!((1..=limits.max_output_buffer_size).contains(&settings.output_buffer_size));
    let longest = limits.max_output_buffer_timeout;
    assert!(settings.output_buffer_timeout.is_none_or(|timeout| timeout <= longest));
    assert!(settings.sample_rate <= 99);
    assert!((second..=limits.max_msg_timeout).contains(&settings.msg_timeout));
    let topology = &settings.topology;
    for text in [&settings.client_id, &settings.hostname, &settings.user_agent] {
        assert!(text.len() <= DESCRIPTION_BYTES_MAX);
    }
    assert!(topology.region.len() <= DESCRIPTION_BYTES_MAX);
    assert!(topology.zone.len() <= DESCRIPTION_BYTES_MAX);
}

/// What follows the word AUTH: parameters, the size and the secret. It is read the same however
/// it is cut, no more is asked for than the limits allow, and a secret comes through unchanged.
pub fn auth_body(data: &[u8]) -> bool {
    let limits = Limits { max_body_size: 1 << 20, ..Limits::default() };
    let input = [b"AUTH", data].concat();
    let whole = first_command(&input, [input.len()], &limits);
    assert!(first_command(&input, 0..=input.len(), &limits) == whole);
    check_secret(data, &limits);
    matches!(whole, Ok(Some(_)))
}

/// A secret in a command without fault.
fn check_secret(secret: &[u8], limits: &Limits) {
    let Ok(size) = u32::try_from(secret.len()) else { return };
    let input = [b"AUTH\n", &size.to_be_bytes()[..], secret].concat();
    let is_allowed = size > 0 && u64::from(size) <= limits.max_body_size;
    let expected = (secret.to_vec(), input.len());
    let read = first_command(&input, [5, 9, input.len()], limits);
    if is_allowed {
        assert!(read == Ok(Some(expected)));
    } else {
        assert!(read.is_err());
    }
}

/// Why there is no secret.
#[derive(PartialEq, Eq)]
enum Refused {
    Wrong(Fatal),
    /// It has no end.
    Cut(ProtocolError),
}

/// The secret of the command at the start and where it ends, seen when `ends` bytes are there.
fn first_command(
    input: &[u8],
    ends: impl IntoIterator<Item = usize>,
    limits: &Limits,
) -> Result<Option<(Vec<u8>, usize)>, Refused> {
    let mut decoder = Decoder::new(*limits);
    for end in ends {
        let seen = &input[..end];
        match decoder.next(seen, &Admission::default()) {
            Ok(Decoded::Command { command: Command::Auth { body }, used }) => {
                assert!(used <= seen.len());
                return Ok(Some((body.to_vec(), used)));
            }
            Ok(Decoded::Command { .. }) => unreachable!("it begins with AUTH"),
            Ok(Decoded::Incomplete { at_least }) => {
                assert!(at_least > seen.len());
                let most = nsq_proto::MAX_LINE_LENGTH as u64 + 4 + limits.max_body_size;
                assert!(at_least as u64 <= most, "{at_least} bytes asked for");
            }
            Err(fatal) => return Err(Refused::Wrong(fatal)),
        }
    }
    match decoder.interrupted() {
        Some(error) => Err(Refused::Cut(error)),
        None => Ok(None),
    }
}
