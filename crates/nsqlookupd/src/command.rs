//! The command lines of protocol V1.

use nsq_proto::{ChannelName, TopicName};

/// A command that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Ping,
    /// Its body follows.
    Identify,
    Register(TopicName, Option<ChannelName>),
    Unregister(TopicName, Option<ChannelName>),
}

/// Reads a line. The error is the response after which the connection closes. Before `IDENTIFY`
/// only that is looked at, as in Go NSQ.
pub(crate) fn parse(line: &[u8], is_identified: bool) -> Result<Command, Vec<u8>> {
    let mut words = trim(line).split(|byte| *byte == b' ');
    let name = words.next().unwrap_or_default();
    let (verb, build): (_, fn(_, _) -> _) = match name {
        b"PING" => return Ok(Command::Ping),
        b"IDENTIFY" if is_identified => return Err(b"E_INVALID cannot IDENTIFY again".to_vec()),
        b"IDENTIFY" => return Ok(Command::Identify),
        b"REGISTER" => ("REGISTER", Command::Register),
        b"UNREGISTER" => ("UNREGISTER", Command::Unregister),
        _ => return Err([b"E_INVALID invalid command ", name].concat()),
    };
    if !is_identified {
        return Err(b"E_INVALID client must IDENTIFY".to_vec());
    }
    let Some(topic) = words.next() else {
        return Err(format!("E_INVALID {verb} insufficient number of params").into_bytes());
    };
    let refuse = |code: &str, what: &str, name: &[u8]| {
        let head = format!("{code} {verb} {what} name '");
        [head.as_bytes(), name, b"' is not valid"].concat()
    };
    // The topic's name is judged first.
    let name = TopicName::parse(topic).map_err(|_| refuse("E_BAD_TOPIC", "topic", topic))?;
    let channel = match words.next() {
        None | Some(b"") => None,
        Some(channel) => {
            let invalid = |_| refuse("E_BAD_CHANNEL", "channel", channel);
            Some(ChannelName::parse(channel).map_err(invalid)?)
        }
    };
    Ok(build(name, channel))
}

/// What Go trims off both ends of a line.
fn trim(line: &[u8]) -> &[u8] {
    let is_white = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = line.iter().position(|byte| !is_white(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_white(byte)).map_or(start, |last| last + 1);
    &line[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Command, &str>) {
        let found = parse(line.as_bytes(), true);
        let found = found.map_err(|text| String::from_utf8(text).expect("the test sent text"));
        assert_eq!(found, expected.map_err(str::to_owned), "{line:?}");
    }

    fn topic(name: &str) -> TopicName {
        name.parse().expect("a name")
    }

    #[test]
    fn lines() {
        let channel = |name: &str| Some(name.parse().expect("a name"));
        check("PING", Ok(Command::Ping));
        check("  PING more \r", Ok(Command::Ping));
        check("REGISTER t", Ok(Command::Register(topic("t"), None)));
        check("REGISTER t c more", Ok(Command::Register(topic("t"), channel("c"))));
        check("REGISTER t  c", Ok(Command::Register(topic("t"), None)));
        check("UNREGISTER t c", Ok(Command::Unregister(topic("t"), channel("c"))));
        check("", Err("E_INVALID invalid command "));
        check("ping", Err("E_INVALID invalid command ping"));
        check("IDENTIFY", Err("E_INVALID cannot IDENTIFY again"));
        check("REGISTER ", Err("E_INVALID REGISTER insufficient number of params"));
        check("UNREGISTER", Err("E_INVALID UNREGISTER insufficient number of params"));
        check("REGISTER  c", Err("E_BAD_TOPIC REGISTER topic name '' is not valid"));
        check("REGISTER b! c!", Err("E_BAD_TOPIC REGISTER topic name 'b!' is not valid"));
        check("UNREGISTER t b!", Err("E_BAD_CHANNEL UNREGISTER channel name 'b!' is not valid"));
    }
}
