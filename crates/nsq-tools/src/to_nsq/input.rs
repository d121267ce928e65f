//! Standard input, read by a thread of its own: it may be anything, also a file.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

/// How much is read at a time.
const CHUNK_BYTES: usize = 64 << 10;
/// How much is read ahead.
const CHUNKS_AHEAD: usize = 2;

/// Chunks of input as they come.
#[derive(Debug)]
pub(super) struct Input {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    /// How many were read and not received.
    read_ahead: Arc<AtomicUsize>,
}

impl Input {
    /// Begins to read.
    ///
    /// # Errors
    ///
    /// When there are no threads left.
    pub(super) fn of(source: impl Read + Send + 'static) -> io::Result<Self> {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let read_ahead = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read_ahead);
        std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || read(source, &sender, &counted))?;
        Ok(Self { chunks, read_ahead })
    }

    /// The next chunk; none at the end. May be dropped without losing anything.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let chunk = self.chunks.recv().await;
        if chunk.is_some() {
            self.read_ahead.fetch_sub(1, Ordering::AcqRel);
        }
        chunk.transpose()
    }

    /// The next chunk of those that were read already.
    pub(super) async fn next_read(&mut self) -> io::Result<Option<Bytes>> {
        match self.read_ahead.load(Ordering::Acquire) {
            0 => Ok(None),
            _ => self.next().await,
        }
    }
}

fn read(mut source: impl Read, sender: &mpsc::Sender<io::Result<Bytes>>, read_ahead: &AtomicUsize) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let chunk = match source.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => Ok(Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = chunk.is_err();
        read_ahead.fetch_add(1, Ordering::AcqRel);
        if sender.blocking_send(chunk).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes on for ever, or fails.
    struct Source(Vec<io::Result<u8>>);

    impl Read for Source {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(next) = self.0.pop() else { return Ok(0) };
            buffer[0] = next?;
            Ok(1)
        }
    }

    async fn all(input: &mut Input) -> Vec<Result<Bytes, io::ErrorKind>> {
        let mut all = Vec::new();
        while let Some(chunk) = input.next().await.map_err(|error| error.kind()).transpose() {
            all.push(chunk);
        }
        all
    }

    #[tokio::test]
    async fn everything_comes_in_order_up_to_the_end_or_an_error() {
        let bytes = |count: u8| (0..count).rev().map(Ok).collect::<Vec<_>>();
        let mut input = Input::of(Source(bytes(20))).expect("a thread");
        let expected: Vec<_> = (0..20).map(|byte| Ok(Bytes::from(vec![byte]))).collect();
        assert_eq!(all(&mut input).await, expected);
        assert_eq!(input.next_read().await.expect("it ended well"), None);

        let interrupted = Err(io::ErrorKind::Interrupted.into());
        let broken = Err(io::ErrorKind::BrokenPipe.into());
        let mut input = Input::of(Source(vec![Ok(9), broken, Ok(1), interrupted])).expect("one");
        let expected = [Ok(Bytes::from_static(&[1])), Err(io::ErrorKind::BrokenPipe)];
        assert_eq!(all(&mut input).await, expected);
    }

    #[tokio::test]
    async fn what_was_read_is_not_lost() {
        // Nothing is received until the thread can read no further.
        let (mut input, all) = (Input::of(Source((0..50).map(Ok).collect())).expect("one"), 50);
        let mut count = usize::from(input.next().await.expect("no error").is_some());
        while input.next_read().await.expect("no error").is_some() {
            count += 1;
        }
        while input.next().await.expect("no error").is_some() {
            count += 1;
        }
        assert_eq!(count, all);
    }
}
