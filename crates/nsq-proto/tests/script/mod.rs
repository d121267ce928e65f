//! Feeds bytes to a decoder the way a connection does and writes down what comes out.

use nsq_proto::{Admission, Bodies, ClientState, Command, Decoded, Decoder, Fatal, Limits};

/// Limits small enough to reach, different enough not to be mistaken for each other.
pub(crate) const SMALL: Limits = Limits {
    max_msg_size: 20,
    max_body_size: 54,
    max_rdy_count: 2500,
    max_req_timeout_ms: 3600000,
};

/// Everything that the decoder makes of `input` when it arrives in pieces that end at `cuts`, one
/// line per command, then the error if there is one, then what is answered if the input ends here.
///
/// `heed_hints` leaves the decoder alone until as many bytes are there as it asked for.
pub(crate) fn run(
    limits: Limits,
    mut admission: Admission,
    input: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    heed_hints: bool,
) -> Vec<String> {
    let mut decoder = Decoder::new(limits);
    let mut lines = Vec::new();
    let mut position = 0;
    let mut wanted = 0;
    for end in cuts.into_iter().chain([input.len()]) {
        loop {
            let rest = &input[position..end];
            if heed_hints && rest.len() < wanted {
                break;
            }
            match decoder.next(rest, &admission) {
                Ok(Decoded::Command { command, used }) => {
                    let is_announcement = matches!(command, Command::AnnouncePublish { .. });
                    assert!(is_announcement == (used == 0) && used <= rest.len());
                    follow(&mut admission, &command);
                    lines.push(describe(&command));
                    (position, wanted) = (position + used, 0);
                }
                Ok(Decoded::Incomplete { at_least }) => {
                    assert!(at_least > rest.len());
                    wanted = at_least;
                    break;
                }
                Err(Fatal::Silent) => {
                    lines.push("closed".into());
                    return lines;
                }
                Err(Fatal::Answer(error)) => {
                    assert!(error.is_fatal());
                    lines.push(error.text().escape_ascii().to_string());
                    return lines;
                }
            }
        }
    }
    if let Some(error) = decoder.interrupted() {
        lines.push(format!("end: {}", error.text().escape_ascii()));
    }
    lines
}

fn follow(admission: &mut Admission, command: &Command<'_>) {
    match command {
        Command::Subscribe { .. } => admission.state = ClientState::Subscribed,
        Command::Close => admission.state = ClientState::Closing,
        _ => {}
    }
}

fn describe(command: &Command<'_>) -> String {
    match command {
        Command::Identify { body } => format!("IDENTIFY {}", body.escape_ascii()),
        Command::Auth { body } => format!("AUTH {}", body.escape_ascii()),
        Command::Subscribe { topic, channel } => format!("SUB {topic} {channel}"),
        Command::Publish { topic, block } => format!("PUB {topic}{}", bodies(block)),
        Command::DeferredPublish { topic, delay_ms, block } => {
            format!("DPUB {topic} {delay_ms}{}", bodies(block))
        }
        Command::AnnouncePublish { topic } => format!("MPUB {topic} ..."),
        Command::MultiPublish { topic, count, block } => {
            assert_eq!(Bodies::new(block).count(), *count as usize);
            format!("MPUB {topic} {count}{}", bodies(block))
        }
        Command::Ready { count } => format!("RDY {count}"),
        Command::Finish { id } => format!("FIN {}", id.0.escape_ascii()),
        Command::Requeue { id, delay_ms } => format!("REQ {} {delay_ms}", id.0.escape_ascii()),
        Command::Touch { id } => format!("TOUCH {}", id.0.escape_ascii()),
        Command::Close => "CLS".into(),
        Command::Nop => "NOP".into(),
    }
}

fn bodies(block: &[u8]) -> String {
    let mut walk = Bodies::new(block);
    let text = walk.by_ref().map(|body| format!(" [{}]", body.escape_ascii())).collect();
    assert!(walk.rest().is_empty(), "a block ends with its last body");
    text
}
