//! Messages out of the command line or standard input.

use std::io::{self, BufRead, BufReader, Read};
use std::thread;

use tokio::sync::mpsc;

/// A longer message is refused before it fills the memory; nsqd's `--max-msg-size` is 1 MiB unless
/// set otherwise.
const MESSAGE_BYTES_MAX: u64 = 256 << 20;
/// How much is handed over at a time, one message aside.
const BATCH_BYTES: usize = 64 << 10;
/// How many such batches are read ahead.
const BATCHES_AHEAD: usize = 4;

/// What ends a message in a stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Separator {
    /// The end of its line.
    LineBreak,
    /// A zero byte.
    Null,
    /// The end of everything.
    End,
}

/// A message with its place: which argument or line it is, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) body: Vec<u8>,
}

/// Messages as they come; the channel ends with them, or behind an error.
pub(crate) type Entries = mpsc::Receiver<io::Result<Vec<Entry>>>;

/// These messages.
pub(crate) fn of_arguments(bodies: impl IntoIterator<Item = Vec<u8>>) -> Entries {
    let entries = bodies.into_iter().zip(1..).map(|(body, number)| Entry { number, body });
    let (sender, entries_receiver) = mpsc::channel(1);
    sender.try_send(Ok(entries.collect())).expect("there is room for one");
    entries_receiver
}

/// Those in standard input. They are read by a thread that nobody waits for at the end: it cannot
/// be woken while nothing is written to it.
pub(crate) fn of_stdin(separator: Separator) -> Entries {
    let (sender, entries) = mpsc::channel(BATCHES_AHEAD);
    thread::spawn(move || {
        let mut splitter = Splitter::new(io::stdin(), separator);
        loop {
            let batch = splitter.next_batch();
            let is_last = batch.as_ref().map_or(true, Vec::is_empty);
            // Nobody listens any more when something has failed.
            if sender.blocking_send(batch).is_err() || is_last {
                return;
            }
        }
    });
    entries
}

/// Splits a stream of bytes.
struct Splitter<R> {
    input: BufReader<R>,
    separator: Separator,
    number: u64,
}

impl<R: Read> Splitter<R> {
    fn new(input: R, separator: Separator) -> Self {
        Self { input: BufReader::with_capacity(BATCH_BYTES, input), separator, number: 0 }
    }

    /// Waits for one message and takes those that are there already with it. Empty at the end.
    fn next_batch(&mut self) -> io::Result<Vec<Entry>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(entry) = self.next_entry()? {
            bytes += entry.body.len();
            batch.push(entry);
            let is_next_here = self.end().is_some_and(|end| self.input.buffer().contains(&end));
            if bytes >= BATCH_BYTES || !is_next_here {
                break;
            }
        }
        Ok(batch)
    }

    fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        let end = self.end();
        let mut input = (&mut self.input).take(MESSAGE_BYTES_MAX + 1);
        let mut body = Vec::new();
        let read = match end {
            Some(end) => input.read_until(end, &mut body)?,
            None => input.read_to_end(&mut body)?,
        };
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if end.is_some() && body.last().copied() == end {
            body.pop();
        } else if read as u64 > MESSAGE_BYTES_MAX {
            let text = format!("message {} has more than {MESSAGE_BYTES_MAX} bytes", self.number);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(Some(Entry { number: self.number, body }))
    }

    fn end(&self) -> Option<u8> {
        match self.separator {
            Separator::LineBreak => Some(b'\n'),
            Separator::Null => Some(0),
            Separator::End => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(separator: Separator, text: &str, expected: &[&str]) {
        let mut splitter = Splitter::new(text.as_bytes(), separator);
        let mut entries = Vec::new();
        loop {
            let batch = splitter.next_batch().expect("slices can be read");
            if batch.is_empty() {
                break;
            }
            entries.extend(batch);
        }
        let expected = expected.iter().zip(1..).map(|(body, number)| {
            let body = body.as_bytes().to_vec();
            Entry { number, body }
        });
        assert_eq!(entries, expected.collect::<Vec<_>>(), "{text:?}");
    }

    #[test]
    fn lines() {
        check(Separator::LineBreak, "", &[]);
        check(Separator::LineBreak, "a\nb\n", &["a", "b"]);
        check(Separator::LineBreak, "a\n\nb", &["a", "", "b"]);
        check(Separator::LineBreak, "\r\n\0", &["\r", "\0"]);
    }

    #[test]
    fn other_ends() {
        check(Separator::Null, "a\nb\0\0c", &["a\nb", "", "c"]);
        check(Separator::End, "a\nb\0\n", &["a\nb\0\n"]);
        check(Separator::End, "", &[]);
    }

    #[test]
    fn what_is_there_is_one_batch() {
        let mut splitter = Splitter::new(&b"a\nb\nc"[..], Separator::LineBreak);
        let counts = [(); 3].map(|()| splitter.next_batch().expect("it can be read").len());
        // The last one might still go on, so it is waited for.
        assert_eq!(counts, [2, 1, 0]);
        let long = "a\n".repeat(BATCH_BYTES);
        let mut splitter = Splitter::new(long.as_bytes(), Separator::LineBreak);
        assert_eq!(splitter.next_batch().expect("it can be read").len(), BATCH_BYTES / 2);
    }
}
