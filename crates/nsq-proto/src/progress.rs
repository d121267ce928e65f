//! How far the command at the start of the input has been read.

use crate::batch::{BatchScan, SIZE_LENGTH, Scanned, size_at, too_big};
use crate::line::Line;
use crate::{ErrorCode, Limits, ProtocolError, Verb};

/// Why decoding a command went no further.
pub(crate) enum Stop {
    /// More input is needed: at least so many bytes from the start of the command.
    Incomplete { at_least: usize },
    /// The command is wrong.
    Error(ProtocolError),
    /// The line has no end where it must have one.
    LineTooLong,
}

impl From<ProtocolError> for Stop {
    fn from(error: ProtocolError) -> Self {
        Self::Error(error)
    }
}

/// The part of a command that is not wholly there yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Waiting {
    #[default]
    Line,
    /// The size after the line.
    Size(Verb),
    /// The body after the size; for MPUB the body of any of its messages.
    Body(Verb),
    /// How many messages an MPUB holds.
    BatchCount,
    /// The size of one message of an MPUB.
    BatchSize { index: u32 },
}

/// How far the command at the start of the input has been read, kept between calls. Only what would
/// be slow to find out again is kept: short parts are simply read again.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    waiting: Waiting,
    /// Bytes at the start of the input that are known to hold no LF.
    scanned: usize,
    batch: BatchScan,
}

impl Progress {
    /// The command at the start is used up; the next input starts with another one.
    #[inline]
    pub(crate) fn complete(&mut self) {
        *self = Self::default();
    }

    /// The line of an MPUB was read. True once for each, when nothing behind the line was.
    pub(crate) fn announce(&mut self) -> bool {
        let is_new = self.waiting == Waiting::Line;
        if is_new {
            self.waiting = Waiting::Size(Verb::Mpub);
        }
        is_new
    }

    /// The command line at the start of `input`.
    pub(crate) fn line<'a>(&mut self, input: &'a [u8]) -> Result<Line<'a>, Stop> {
        match Line::find(input, self.scanned) {
            Ok(Some(line)) => {
                self.scanned = line.length - 1;
                Ok(line)
            }
            Ok(None) => {
                self.scanned = input.len();
                Err(self.wait(Waiting::Line, input.len() + 1))
            }
            Err(_) => Err(Stop::LineTooLong),
        }
    }

    /// The body of IDENTIFY or AUTH, whose size is at `start`, and where the command ends.
    pub(crate) fn document<'a>(
        &mut self,
        input: &'a [u8],
        start: usize,
        verb: Verb,
        limits: &Limits,
    ) -> Result<(&'a [u8], usize), Stop> {
        let size = self.size(input, start, verb)?;
        let length = match u32::try_from(size) {
            Ok(length) if u64::from(length) > limits.max_body_size => {
                let what = format!("{} body too big", verb.as_str());
                return Err(too_big(&what, length.into(), limits.max_body_size).into());
            }
            Err(_) | Ok(0) => {
                let name = verb.as_str();
                return Err(formatted(
                    ErrorCode::BadBody,
                    format_args!("{name} invalid body size {size}"),
                ));
            }
            Ok(length) => length as usize,
        };
        let start = start + SIZE_LENGTH;
        let end = start + length;
        Ok((self.body(input, start, end, verb)?, end))
    }

    /// The message of PUB or DPUB, whose size is at `start`: size and body.
    #[inline]
    pub(crate) fn message<'a>(
        &mut self,
        input: &'a [u8],
        start: usize,
        verb: Verb,
        limits: &Limits,
    ) -> Result<&'a [u8], Stop> {
        let size = self.size(input, start, verb)?;
        match u32::try_from(size) {
            Ok(length) if length > 0 && u64::from(length) <= limits.max_msg_size => {
                self.body(input, start, start + SIZE_LENGTH + length as usize, verb)
            }
            _ => Err(bad_message_size(size, verb, limits)),
        }
    }

    /// The messages of an MPUB, whose declared size is at `start`: their number, their sizes and
    /// bodies, and where the command ends.
    pub(crate) fn batch<'a>(
        &mut self,
        input: &'a [u8],
        start: usize,
        limits: &Limits,
    ) -> Result<(u32, &'a [u8], usize), Stop> {
        let declared = self.size(input, start, Verb::Mpub)?;
        check_declared_size(declared, limits)?;
        let start = start + SIZE_LENGTH;
        let Some(count) = size_at(input, start) else {
            return Err(self.wait(Waiting::BatchCount, start + SIZE_LENGTH));
        };
        let count = checked_count(count, limits)?;
        let start = start + SIZE_LENGTH;
        let messages = input.get(start..).unwrap_or_default();
        match self.batch.advance(messages, count, limits)? {
            Scanned::Complete { length } => {
                let end = start + length;
                Ok((count, self.body(input, start, end, Verb::Mpub)?, end))
            }
            Scanned::SizeMissing { index, end } => {
                Err(self.wait(Waiting::BatchSize { index }, start + end))
            }
            Scanned::BodyMissing { end } => Err(self.wait(Waiting::Body(Verb::Mpub), start + end)),
        }
    }

    #[inline]
    fn size(&mut self, input: &[u8], start: usize, verb: Verb) -> Result<i32, Stop> {
        size_at(input, start).ok_or_else(|| self.wait(Waiting::Size(verb), start + SIZE_LENGTH))
    }

    #[inline]
    fn body<'a>(
        &mut self,
        input: &'a [u8],
        start: usize,
        end: usize,
        verb: Verb,
    ) -> Result<&'a [u8], Stop> {
        input.get(start..end).ok_or_else(|| self.wait(Waiting::Body(verb), end))
    }

    fn wait(&mut self, waiting: Waiting, at_least: usize) -> Stop {
        self.waiting = waiting;
        Stop::Incomplete { at_least }
    }

    /// The error to answer when the input ends here.
    pub(crate) fn interrupted(&self) -> Option<ProtocolError> {
        let (code, what) = match self.waiting {
            Waiting::Line => return None,
            Waiting::Size(Verb::Pub | Verb::Dpub) => (ErrorCode::BadMessage, "message body size"),
            Waiting::Size(_) => (ErrorCode::BadBody, "body size"),
            Waiting::Body(Verb::Identify | Verb::Auth) => (ErrorCode::BadBody, "body"),
            Waiting::Body(_) => (ErrorCode::BadMessage, "message body"),
            Waiting::BatchCount => (ErrorCode::BadBody, "message count"),
            Waiting::BatchSize { index } => {
                return Some(ProtocolError::formatted(
                    ErrorCode::BadMessage,
                    format_args!("MPUB failed to read message({index}) body size"),
                ));
            }
        };
        let name = match self.waiting {
            Waiting::Size(verb) | Waiting::Body(verb) => verb.as_str(),
            _ => Verb::Mpub.as_str(),
        };
        Some(ProtocolError::formatted(code, format_args!("{name} failed to read {what}")))
    }
}

fn formatted(code: ErrorCode, description: std::fmt::Arguments<'_>) -> Stop {
    Stop::Error(ProtocolError::formatted(code, description))
}

#[cold]
fn bad_message_size(size: i32, verb: Verb, limits: &Limits) -> Stop {
    let name = verb.as_str();
    if size <= 0 {
        let description = format_args!("{name} invalid message body size {size}");
        return formatted(ErrorCode::BadMessage, description);
    }
    let limit = limits.max_msg_size;
    formatted(ErrorCode::BadMessage, format_args!("{name} message too big {size} > {limit}"))
}

/// nsqd checks the declared size against the limit and then forgets it.
fn check_declared_size(size: i32, limits: &Limits) -> Result<(), Stop> {
    match u32::try_from(size) {
        Err(_) | Ok(0) => {
            Err(formatted(ErrorCode::BadBody, format_args!("MPUB invalid body size {size}")))
        }
        Ok(size) if u64::from(size) > limits.max_body_size => {
            Err(too_big("MPUB body too big", size.into(), limits.max_body_size).into())
        }
        Ok(_) => Ok(()),
    }
}

fn checked_count(count: i32, limits: &Limits) -> Result<u32, Stop> {
    match u32::try_from(count) {
        Ok(count) if count > 0 && u64::from(count) <= limits.max_batch_count() => Ok(count),
        _ => {
            let description = format_args!("MPUB invalid message count {count}");
            Err(formatted(ErrorCode::BadBody, description))
        }
    }
}
