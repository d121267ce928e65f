//! `Ledger`: which messages a channel has delivered, from the stamps in their bodies.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::stamp::Stamp;
use crate::tally::Tally;

/// The deliveries of one channel.
pub(crate) struct Ledger {
    run: u64,
    /// What each publisher has sent so far: no higher number can be true.
    sent: Vec<Arc<Tally>>,
    book: Mutex<Book>,
}

/// Counts of a ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LedgerCounts {
    /// Different messages of this run.
    pub(crate) unique: u64,
    /// Deliveries of a message that was delivered before.
    pub(crate) duplicates: u64,
    /// Messages of another run, or of nobody.
    pub(crate) foreign: u64,
}

struct Book {
    /// One bit for each message, for each publisher.
    seen: Vec<Vec<u64>>,
    counts: LedgerCounts,
}

impl Ledger {
    /// An empty ledger for messages stamped with `run` by the given publishers.
    pub(crate) fn new(run: u64, sent: Vec<Arc<Tally>>) -> Self {
        let seen = vec![Vec::new(); sent.len()];
        Self { run, sent, book: Mutex::new(Book { seen, counts: LedgerCounts::default() }) }
    }

    /// Opens the ledger for the deliveries of one read.
    pub(crate) fn open(&self) -> OpenLedger<'_> {
        OpenLedger { ledger: self, book: self.book.lock() }
    }

    /// The counts so far.
    pub(crate) fn counts(&self) -> LedgerCounts {
        self.book.lock().counts
    }
}

/// A ledger opened for writing.
pub(crate) struct OpenLedger<'a> {
    ledger: &'a Ledger,
    book: MutexGuard<'a, Book>,
}

impl OpenLedger<'_> {
    /// Notes one delivery.
    pub(crate) fn note(&mut self, body: &[u8]) {
        let stamp = Stamp::read(body).filter(|stamp| self.is_ours(*stamp));
        let book = &mut *self.book;
        let seen = stamp.and_then(|stamp| book.seen.get_mut(stamp.publisher).zip(Some(stamp)));
        let Some((seen, stamp)) = seen else {
            book.counts.foreign += 1;
            return;
        };
        let (word, bit) = (stamp.number as usize / 64, 1u64 << (stamp.number % 64));
        if word >= seen.len() {
            seen.resize(word + 1, 0);
        }
        if seen[word] & bit == 0 {
            seen[word] |= bit;
            book.counts.unique += 1;
        } else {
            book.counts.duplicates += 1;
        }
    }

    fn is_ours(&self, stamp: Stamp) -> bool {
        let sent = self.ledger.sent.get(stamp.publisher).map_or(0, |tally| tally.count());
        stamp.run == self.ledger.run && stamp.number < sent
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn deliveries_are_new_repeated_or_foreign() {
        let sent = Tally::new(Instant::now());
        sent.add(100);
        let ledger = Ledger::new(7, vec![sent]);
        let mut open = ledger.open();
        let stamps = [(7, 0, 0), (7, 0, 99), (7, 0, 0), (8, 0, 1), (7, 1, 1), (7, 0, 100)];
        for (run, publisher, number) in stamps {
            let mut body = [0; 16];
            Stamp { run, publisher, number }.write(&mut body);
            open.note(&body);
        }
        open.note(b"short");
        drop(open);
        let expected = LedgerCounts { unique: 2, duplicates: 1, foreign: 4 };
        assert_eq!(ledger.counts(), expected);
    }
}
