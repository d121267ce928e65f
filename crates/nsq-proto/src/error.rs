//! What nsqd answers to a client that broke a rule or asked for the impossible.

use std::borrow::Cow;
use std::fmt;

use crate::{ChannelName, MessageId, TopicName, Verb, quote};

/// The first word of an error frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The magic is not `  V2`.
    BadProtocol,
    /// Unknown or misplaced command, missing or malformed parameters.
    Invalid,
    /// Not a topic name.
    BadTopic,
    /// Not a channel name.
    BadChannel,
    /// An IDENTIFY, AUTH or MPUB body is unusable.
    BadBody,
    /// A message body is unusable.
    BadMessage,
    /// Feature negotiation failed.
    IdentifyFailed,
    /// AUTH without an auth server configured.
    AuthDisabled,
    /// The auth server gave no usable answer.
    AuthFailed,
    /// A command that needs authorization came before AUTH.
    AuthFirst,
    /// The answer to AUTH could not be made.
    AuthError,
    /// The authorizations do not permit the command.
    Unauthorized,
    /// The client could not join the channel.
    SubFailed,
    /// A PUB was not accepted.
    PubFailed,
    /// An MPUB was not accepted.
    MpubFailed,
    /// A DPUB was not accepted.
    DpubFailed,
    /// The message to finish is not held by this client.
    FinFailed,
    /// The message to requeue is not held by this client.
    ReqFailed,
    /// The message to touch is not held by this client.
    TouchFailed,
}

impl ErrorCode {
    /// The code as it travels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadProtocol => "E_BAD_PROTOCOL",
            Self::Invalid => "E_INVALID",
            Self::BadTopic => "E_BAD_TOPIC",
            Self::BadChannel => "E_BAD_CHANNEL",
            Self::BadBody => "E_BAD_BODY",
            Self::BadMessage => "E_BAD_MESSAGE",
            Self::IdentifyFailed => "E_IDENTIFY_FAILED",
            Self::AuthDisabled => "E_AUTH_DISABLED",
            Self::AuthFailed => "E_AUTH_FAILED",
            Self::AuthFirst => "E_AUTH_FIRST",
            Self::AuthError => "E_AUTH_ERROR",
            Self::Unauthorized => "E_UNAUTHORIZED",
            Self::SubFailed => "E_SUB_FAILED",
            Self::PubFailed => "E_PUB_FAILED",
            Self::MpubFailed => "E_MPUB_FAILED",
            Self::DpubFailed => "E_DPUB_FAILED",
            Self::FinFailed => "E_FIN_FAILED",
            Self::ReqFailed => "E_REQ_FAILED",
            Self::TouchFailed => "E_TOUCH_FAILED",
        }
    }

    /// Whether the connection is closed after this error was answered.
    pub const fn is_fatal(self) -> bool {
        !matches!(self, Self::FinFailed | Self::ReqFailed | Self::TouchFailed)
    }
}

/// Why a FIN, REQ or TOUCH found nothing to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotHeld {
    /// Unknown, already answered, timed out, deferred, or the channel was emptied.
    NotInFlight,
    /// In flight for another client, for example after a timeout.
    NotOwner,
}

impl NotHeld {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NotInFlight => "ID not in flight",
            Self::NotOwner => "client does not own message",
        }
    }
}

/// An error frame: a code and a description. The description may hold bytes that a client sent, so
/// it need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text().escape_ascii())]
pub struct ProtocolError {
    code: ErrorCode,
    description: Cow<'static, [u8]>,
}

impl ProtocolError {
    /// An error with a fixed description.
    pub const fn new(code: ErrorCode, description: &'static str) -> Self {
        Self { code, description: Cow::Borrowed(description.as_bytes()) }
    }

    /// The client does not speak protocol V2.
    pub const fn bad_protocol() -> Self {
        Self::new(ErrorCode::BadProtocol, "")
    }

    /// The channel cannot be joined: `reason` is `exiting` or `to deleted topic/channel`.
    pub fn sub_failed(reason: &str) -> Self {
        Self::formatted(ErrorCode::SubFailed, format_args!("SUB failed {reason}"))
    }

    /// The channel has as many consumers as `--max-channel-consumers` allows.
    pub fn too_many_consumers(topic: &TopicName, channel: &ChannelName, limit: u64) -> Self {
        Self::formatted(
            ErrorCode::SubFailed,
            format_args!("SUB failed consumers for {topic}:{channel} exceeds limit of {limit}"),
        )
    }

    /// The topic did not accept the message of a PUB.
    pub fn pub_failed(reason: impl fmt::Display) -> Self {
        Self::formatted(ErrorCode::PubFailed, format_args!("PUB failed {reason}"))
    }

    /// The topic did not accept the messages of an MPUB.
    pub fn mpub_failed(reason: impl fmt::Display) -> Self {
        Self::formatted(ErrorCode::MpubFailed, format_args!("MPUB failed {reason}"))
    }

    /// The topic did not accept the message of a DPUB.
    pub fn dpub_failed(reason: impl fmt::Display) -> Self {
        Self::formatted(ErrorCode::DpubFailed, format_args!("DPUB failed {reason}"))
    }

    /// The message to finish is not held by this client. Not fatal.
    pub fn fin_failed(id: MessageId, why: NotHeld) -> Self {
        Self::answer_failed(ErrorCode::FinFailed, Verb::Fin, id, why)
    }

    /// The message to requeue is not held by this client. Not fatal.
    pub fn req_failed(id: MessageId, why: NotHeld) -> Self {
        Self::answer_failed(ErrorCode::ReqFailed, Verb::Req, id, why)
    }

    /// The message to touch is not held by this client. Not fatal.
    pub fn touch_failed(id: MessageId, why: NotHeld) -> Self {
        Self::answer_failed(ErrorCode::TouchFailed, Verb::Touch, id, why)
    }

    /// The connection already holds authorizations.
    pub const fn auth_already_set() -> Self {
        Self::new(ErrorCode::Invalid, "AUTH already set")
    }

    /// The connection could not be upgraded to what was agreed.
    pub fn identify_failed(reason: &str) -> Self {
        let text = format_args!("IDENTIFY failed {reason}");
        Self::formatted(ErrorCode::IdentifyFailed, text)
    }

    /// No auth server is configured.
    pub const fn auth_disabled() -> Self {
        Self::new(ErrorCode::AuthDisabled, "AUTH disabled")
    }

    /// The auth server gave no usable answer. Why is not for the client to know.
    pub const fn auth_failed() -> Self {
        Self::new(ErrorCode::AuthFailed, "AUTH failed")
    }

    /// The secret is good for nothing.
    pub const fn no_authorizations() -> Self {
        Self::new(ErrorCode::Unauthorized, "AUTH no authorizations found")
    }

    /// `verb` needs an AUTH before it.
    pub fn auth_first(verb: Verb) -> Self {
        let text = format_args!("AUTH required before {}", verb.as_str());
        Self::formatted(ErrorCode::AuthFirst, text)
    }

    /// The client may not use `verb` on this topic and channel.
    pub fn unauthorized(verb: Verb, topic: &TopicName, channel: Option<&ChannelName>) -> Self {
        let channel = channel.map_or("", ChannelName::as_str);
        let (topic, channel) = (quote(topic.as_str().as_bytes()), quote(channel.as_bytes()));
        let text = format_args!("AUTH failed for {} on {topic} {channel}", verb.as_str());
        Self::formatted(ErrorCode::Unauthorized, text)
    }

    /// `verb` may not be used in the client's present state.
    pub(crate) fn misplaced(verb: Verb) -> Self {
        Self::formatted(
            ErrorCode::Invalid,
            format_args!("cannot {} in current state", verb.as_str()),
        )
    }

    /// The topic name of a publish or SUB is no name.
    pub(crate) fn bad_topic(verb: Verb, name: &[u8]) -> Self {
        // For MPUB the real daemon puts the code into the description as well.
        let prefix = if verb == Verb::Mpub { "E_BAD_TOPIC " } else { "" };
        Self::formatted(
            ErrorCode::BadTopic,
            format_args!("{prefix}{} topic name {} is not valid", verb.as_str(), quote(name)),
        )
    }

    /// An error whose description is `parts` in a row.
    pub(crate) fn joined(code: ErrorCode, parts: &[&[u8]]) -> Self {
        Self { code, description: Cow::Owned(parts.concat()) }
    }

    /// An error whose description is formatted.
    pub(crate) fn formatted(code: ErrorCode, description: fmt::Arguments<'_>) -> Self {
        Self { code, description: Cow::Owned(description.to_string().into_bytes()) }
    }

    fn answer_failed(code: ErrorCode, verb: Verb, id: MessageId, why: NotHeld) -> Self {
        let (verb, why) = (verb.as_str().as_bytes(), why.as_str().as_bytes());
        Self::joined(code, &[verb, b" ", &id.0, b" failed ", why])
    }

    /// The code.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// What follows the code; empty only for [`ErrorCode::BadProtocol`].
    pub fn description(&self) -> &[u8] {
        &self.description
    }

    /// Whether the connection is closed after this error was answered.
    pub const fn is_fatal(&self) -> bool {
        self.code.is_fatal()
    }

    /// The data of the error frame: code, space, description.
    pub fn text(&self) -> Vec<u8> {
        let code = self.code.as_str().as_bytes();
        if self.description.is_empty() {
            return code.to_vec();
        }
        [code, b" ", &self.description].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_errors_that_others_answer() {
        let id = MessageId(*b"18a4a6e55e669000");
        let topic = "mcc".parse().unwrap();
        let channel = "c".parse().unwrap();
        let cases = [
            (ProtocolError::bad_protocol(), "E_BAD_PROTOCOL", true),
            (ProtocolError::sub_failed("exiting"), "E_SUB_FAILED SUB failed exiting", true),
            (
                ProtocolError::too_many_consumers(&topic, &channel, 2),
                "E_SUB_FAILED SUB failed consumers for mcc:c exceeds limit of 2",
                true,
            ),
            (ProtocolError::pub_failed("exiting"), "E_PUB_FAILED PUB failed exiting", true),
            (ProtocolError::mpub_failed("exiting"), "E_MPUB_FAILED MPUB failed exiting", true),
            (ProtocolError::dpub_failed("exiting"), "E_DPUB_FAILED DPUB failed exiting", true),
            (
                ProtocolError::fin_failed(id, NotHeld::NotInFlight),
                "E_FIN_FAILED FIN 18a4a6e55e669000 failed ID not in flight",
                false,
            ),
            (
                ProtocolError::req_failed(id, NotHeld::NotOwner),
                "E_REQ_FAILED REQ 18a4a6e55e669000 failed client does not own message",
                false,
            ),
            (
                ProtocolError::touch_failed(id, NotHeld::NotInFlight),
                "E_TOUCH_FAILED TOUCH 18a4a6e55e669000 failed ID not in flight",
                false,
            ),
            (ProtocolError::auth_already_set(), "E_INVALID AUTH already set", true),
            (ProtocolError::auth_disabled(), "E_AUTH_DISABLED AUTH disabled", true),
            (ProtocolError::auth_failed(), "E_AUTH_FAILED AUTH failed", true),
            (
                ProtocolError::no_authorizations(),
                "E_UNAUTHORIZED AUTH no authorizations found",
                true,
            ),
            (ProtocolError::auth_first(Verb::Dpub), "E_AUTH_FIRST AUTH required before DPUB", true),
            (
                ProtocolError::unauthorized(Verb::Mpub, &topic, None),
                r#"E_UNAUTHORIZED AUTH failed for MPUB on \"mcc\" \"\""#,
                true,
            ),
            (
                ProtocolError::unauthorized(Verb::Sub, &topic, Some(&channel)),
                r#"E_UNAUTHORIZED AUTH failed for SUB on \"mcc\" \"c\""#,
                true,
            ),
        ];
        for (error, text, is_fatal) in cases {
            assert_eq!(error.text().escape_ascii().to_string(), text);
            assert_eq!(error.is_fatal(), is_fatal, "{text}");
        }
    }

    #[test]
    fn ids_are_repeated_as_raw_bytes() {
        let error = ProtocolError::fin_failed(MessageId([0xff; 16]), NotHeld::NotInFlight);
        assert!(error.text().starts_with(b"E_FIN_FAILED FIN \xff\xff"));
    }
}
