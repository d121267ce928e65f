//! From bytes to commands.

use crate::batch::SIZE_LENGTH;
use crate::line::{decimal_saturating, decimal_wrapping};
use crate::progress::{Progress, Stop};
use crate::{
    Admission, ChannelName, ClientState, Command, ErrorCode, Limits, MessageId, ProtocolError,
    TopicName, Verb, quote,
};

/// Decodes the commands of one connection.
///
/// ```
/// use nsq_proto::{Admission, Command, Decoded, Decoder, Limits};
///
/// let input = b"PUB orders\n\0\0\0\x01aNOP\nPU";
/// let mut decoder = Decoder::new(Limits::default());
/// let mut position = 0;
/// let mut published = 0;
/// loop {
///     match decoder.next(&input[position..], &Admission::default())? {
///         Decoded::Command { command, used } => {
///             published += usize::from(matches!(command, Command::Publish { .. }));
///             position += used;
///         }
///         Decoded::Incomplete { .. } => break,
///     }
/// }
/// assert_eq!((published, position), (1, input.len() - 2));
/// # Ok::<_, nsq_proto::Fatal>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    recent: Option<RecentPublish>,
    progress: Progress,
}

/// What lies at the start of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A command, which takes the first `used` bytes.
    Command {
        /// The command.
        command: Command<'a>,
        /// Its length in the input; 0 for [`Command::AnnouncePublish`] alone.
        used: usize,
    },
    /// Only a part of a command, or nothing.
    Incomplete {
        /// How many bytes, counted from the start of the same input, must be there before another
        /// call can tell more. At most one line and one body beyond the limits.
        at_least: usize,
    },
}

/// Why the connection is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// Close without a word: a line longer than [`MAX_LINE_LENGTH`](crate::MAX_LINE_LENGTH).
    #[error("command line too long")]
    Silent,
    /// Answer with this error, then close.
    #[error(transparent)]
    Answer(#[from] ProtocolError),
}

impl Decoder {
    /// A decoder for a new connection, to be fed from behind the magic.
    pub fn new(limits: Limits) -> Self {
        Self { limits, recent: None, progress: Progress::default() }
    }

    /// Decodes the command at the start of `input`.
    ///
    /// After [`Decoded::Command`] the next input starts `used` bytes later; after
    /// [`Decoded::Incomplete`] it starts with the same bytes, followed by new ones. Input may be
    /// cut anywhere. `admission` must stay the same until the command is complete. After an error
    /// the decoder is of no further use.
    #[inline]
    pub fn next<'a>(
        &'a mut self,
        input: &'a [u8],
        admission: &Admission,
    ) -> Result<Decoded<'a>, Fatal> {
        if !admission.tls_required_unmet {
            if admission.state != ClientState::Init
                && let Some(id) = plain_finish(input)
            {
                let command = Command::Finish { id };
                return Ok(complete(&mut self.progress, command, FINISH_LENGTH));
            }
            let published =
                self.recent.as_ref().and_then(|it| it.plain_publish(input, &self.limits));
            if let Some((block, used)) = published {
                let topic = &self.recent.as_ref().expect("it recognized the topic just now").topic;
                let command = Command::Publish { topic, block };
                return Ok(complete(&mut self.progress, command, used));
            }
        }
        self.next_of_any_form(input, admission)
    }

    /// [`Decoder::next`] for whatever is not in one of the frequent forms, complete and flawless.
    fn next_of_any_form<'a>(
        &'a mut self,
        input: &'a [u8],
        admission: &Admission,
    ) -> Result<Decoded<'a>, Fatal> {
        match self.decode(input, admission) {
            Ok(decoded) => Ok(decoded),
            Err(Stop::Incomplete { at_least }) => Ok(Decoded::Incomplete { at_least }),
            Err(Stop::Error(error)) => Err(Fatal::Answer(error)),
            Err(Stop::LineTooLong) => Err(Fatal::Silent),
        }
    }

    /// The error to answer when the input ends, or its deadline passes, after the last call of
    /// [`Decoder::next`]: nsqd complains about a missing body, but not about a missing line.
    pub fn interrupted(&self) -> Option<ProtocolError> {
        self.progress.interrupted()
    }

    fn decode<'a>(
        &'a mut self,
        input: &'a [u8],
        admission: &Admission,
    ) -> Result<Decoded<'a>, Stop> {
        let Self { limits, recent, progress } = self;
        let is_repeated = recent.as_ref().is_some_and(|recent| input.starts_with(&recent.line));
        if is_repeated && !admission.tls_required_unmet && !admission.announces_batches {
            let recent = recent.as_ref().expect("its line was compared just now");
            return publish(recent, recent.line.len(), recent.verb, input, progress, limits);
        }
        let line = progress.line(input)?;
        let mut words = line.words();
        let command = match admitted(words.next().unwrap_or_default(), admission)? {
            verb @ (Verb::Pub | Verb::Mpub) => {
                let topic = words.next().ok_or_else(|| missing_parameters(verb))?;
                let recent = RecentPublish::remember(recent, verb, topic)?;
                if verb == Verb::Mpub && admission.announces_batches && progress.announce() {
                    let command = Command::AnnouncePublish { topic: &recent.topic };
                    return Ok(Decoded::Command { command, used: 0 });
                }
                return publish(recent, line.length, verb, input, progress, limits);
            }
            Verb::Dpub => {
                let (Some(topic), Some(delay)) = (words.next(), words.next()) else {
                    return Err(missing_parameters(Verb::Dpub));
                };
                let topic = &RecentPublish::remember(recent, Verb::Dpub, topic)?.topic;
                let delay_ms = deferral(delay, limits)?;
                let block = progress.message(input, line.length, Verb::Dpub, limits)?;
                let command = Command::DeferredPublish { topic, delay_ms, block };
                return Ok(complete(progress, command, line.length + block.len()));
            }
            Verb::Identify => {
                let (body, used) = progress.document(input, line.length, Verb::Identify, limits)?;
                return Ok(complete(progress, Command::Identify { body }, used));
            }
            Verb::Auth => {
                if words.next().is_some() {
                    return Err(invalid("AUTH invalid number of parameters"));
                }
                let (body, used) = progress.document(input, line.length, Verb::Auth, limits)?;
                return Ok(complete(progress, Command::Auth { body }, used));
            }
            Verb::Sub => subscription(words, admission)?,
            Verb::Rdy if admission.state == ClientState::Closing => Command::Nop,
            Verb::Rdy => Command::Ready { count: ready_count(words.next(), limits)? },
            Verb::Fin => Command::Finish { id: message_id(Verb::Fin, words.next())? },
            Verb::Req => requeue(words)?,
            Verb::Touch => Command::Touch { id: message_id(Verb::Touch, words.next())? },
            Verb::Cls => Command::Close,
            Verb::Nop => Command::Nop,
        };
        Ok(complete(progress, command, line.length))
    }
}

/// The last topic that was published to, with the command line that does it again: a run of
/// publishes to one topic is recognized by comparing bytes.
#[derive(Debug)]
struct RecentPublish {
    topic: TopicName,
    /// [`Verb::Pub`] or [`Verb::Mpub`].
    verb: Verb,
    /// `<verb> <topic>`, LF included.
    line: Vec<u8>,
}

impl RecentPublish {
    /// Remembers that `verb` publishes to the topic with this name.
    fn remember<'a>(
        recent: &'a mut Option<Self>,
        verb: Verb,
        name: &[u8],
    ) -> Result<&'a Self, Stop> {
        // DPUB carries a delay; its line is not worth remembering.
        let plain_verb = if verb == Verb::Mpub { Verb::Mpub } else { Verb::Pub };
        let topic = match recent.as_ref() {
            Some(recent) if recent.topic.as_str().as_bytes() == name => recent.topic.clone(),
            _ => TopicName::parse(name).map_err(|_| ProtocolError::bad_topic(verb, name))?,
        };
        let mut line = recent.take().map(|recent| recent.line).unwrap_or_default();
        line.clear();
        line.extend_from_slice(plain_verb.as_str().as_bytes());
        line.push(b' ');
        line.extend_from_slice(name);
        line.push(b'\n');
        Ok(recent.insert(Self { topic, verb: plain_verb, line }))
    }

    /// The message of another PUB to the same topic, if it is wholly there, and where the command
    /// ends. Anything else is left to the long way.
    #[inline]
    fn plain_publish<'a>(&self, input: &'a [u8], limits: &Limits) -> Option<(&'a [u8], usize)> {
        let block = input.strip_prefix(self.line.as_slice()).filter(|_| self.verb == Verb::Pub)?;
        let size = Some(u32::from_be_bytes(*block.first_chunk()?))
            .filter(|&size| 0 < size && u64::from(size) <= limits.max_msg_size)
            .filter(|&size| size <= i32::MAX as u32)?;
        let block = block.get(..SIZE_LENGTH + size as usize)?;
        Some((block, self.line.len() + block.len()))
    }
}

/// Length of a FIN line without CR.
const FINISH_LENGTH: usize = 21;

/// The id of a FIN line in its usual form. By far the most frequent command of consumers, so it is
/// recognized without looking for the end of the line. Anything unusual is left to the long way.
#[inline]
fn plain_finish(input: &[u8]) -> Option<MessageId> {
    let line: &[u8; FINISH_LENGTH] = input.first_chunk()?;
    let [b'F', b'I', b'N', b' ', id @ .., b'\n'] = line else { return None };
    // No LF, CR or space, which would end the line or the id early.
    let is_one_word = id.iter().fold(true, |all, &byte| all & (byte > b' '));
    is_one_word.then_some(MessageId(*id))
}

#[inline]
fn complete<'a>(progress: &mut Progress, command: Command<'a>, used: usize) -> Decoded<'a> {
    progress.complete();
    Decoded::Command { command, used }
}

#[inline]
fn publish<'a>(
    recent: &'a RecentPublish,
    start: usize,
    verb: Verb,
    input: &'a [u8],
    progress: &mut Progress,
    limits: &Limits,
) -> Result<Decoded<'a>, Stop> {
    let topic = &recent.topic;
    if verb == Verb::Mpub {
        let (count, block, used) = progress.batch(input, start, limits)?;
        return Ok(complete(progress, Command::MultiPublish { topic, count, block }, used));
    }
    let block = progress.message(input, start, verb, limits)?;
    Ok(complete(progress, Command::Publish { topic, block }, start + block.len()))
}

/// The verb that `word` spells, if the client may use it now.
fn admitted(word: &[u8], admission: &Admission) -> Result<Verb, Stop> {
    let verb = Verb::parse(word);
    if admission.tls_required_unmet && verb != Some(Verb::Identify) {
        let parts = [b"cannot ", word, b" in current state (TLS required)"];
        return Err(ProtocolError::joined(ErrorCode::Invalid, &parts).into());
    }
    let Some(verb) = verb else {
        return Err(ProtocolError::joined(ErrorCode::Invalid, &[b"invalid command ", word]).into());
    };
    if !admission.state.admits(verb) {
        return Err(ProtocolError::misplaced(verb).into());
    }
    Ok(verb)
}

fn subscription<'a>(
    mut words: impl Iterator<Item = &'a [u8]>,
    admission: &Admission,
) -> Result<Command<'static>, Stop> {
    if !admission.heartbeats {
        return Err(invalid("cannot SUB with heartbeats disabled"));
    }
    let (Some(topic), Some(channel)) = (words.next(), words.next()) else {
        return Err(missing_parameters(Verb::Sub));
    };
    let topic = TopicName::parse(topic).map_err(|_| ProtocolError::bad_topic(Verb::Sub, topic))?;
    let channel = ChannelName::parse(channel).map_err(|_| {
        ProtocolError::formatted(
            ErrorCode::BadChannel,
            format_args!("SUB channel name {} is not valid", quote(channel)),
        )
    })?;
    Ok(Command::Subscribe { topic, channel })
}

fn ready_count(word: Option<&[u8]>, limits: &Limits) -> Result<u32, Stop> {
    let Some(word) = word else { return Ok(1) };
    let count =
        decimal_wrapping(word).ok_or_else(|| unparsable("RDY could not parse count ", word))?;
    // nsqd reads the number as signed and says so in the error.
    let count = count as i64;
    match u32::try_from(count) {
        Ok(count) if count <= limits.max_rdy_count => Ok(count),
        _ => Err(Stop::Error(ProtocolError::formatted(
            ErrorCode::Invalid,
            format_args!("RDY count {count} out of range 0-{}", limits.max_rdy_count),
        ))),
    }
}

fn requeue<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> Result<Command<'static>, Stop> {
    let (Some(id), Some(delay)) = (words.next(), words.next()) else {
        return Err(missing_parameters(Verb::Req));
    };
    let id = message_id(Verb::Req, Some(id))?;
    let delay_ms = decimal_saturating(delay)
        .ok_or_else(|| unparsable("REQ could not parse timeout ", delay))?;
    Ok(Command::Requeue { id, delay_ms })
}

fn deferral(word: &[u8], limits: &Limits) -> Result<u64, Stop> {
    let delay_ms = decimal_saturating(word)
        .ok_or_else(|| unparsable("DPUB could not parse timeout ", word))?;
    if delay_ms > limits.max_req_timeout_ms {
        return Err(Stop::Error(ProtocolError::formatted(
            ErrorCode::Invalid,
            format_args!("DPUB timeout {delay_ms} out of range 0-{}", limits.max_req_timeout_ms),
        )));
    }
    Ok(delay_ms)
}

/// Any sixteen bytes are an id; whether a message has it is for the channel to say.
fn message_id(verb: Verb, word: Option<&[u8]>) -> Result<MessageId, Stop> {
    let word = word.ok_or_else(|| missing_parameters(verb))?;
    word.try_into().map(MessageId).map_err(|_| invalid("invalid message ID"))
}

fn invalid(description: &'static str) -> Stop {
    Stop::Error(ProtocolError::new(ErrorCode::Invalid, description))
}

fn unparsable(what: &str, word: &[u8]) -> Stop {
    Stop::Error(ProtocolError::joined(ErrorCode::Invalid, &[what.as_bytes(), word]))
}

fn missing_parameters(verb: Verb) -> Stop {
    // Both spellings are nsqd's.
    let noun = match verb {
        Verb::Fin | Verb::Req | Verb::Touch => "params",
        _ => "parameters",
    };
    Stop::Error(ProtocolError::formatted(
        ErrorCode::Invalid,
        format_args!("{} insufficient number of {noun}", verb.as_str()),
    ))
}
