//! Where in a segment its messages are, roughly.

use nsq_broker::Sequence;

/// Distance between entries, in bytes of log.
const SPACING_BYTES: u64 = 64 * 1024;
/// More entries than this are thinned out: the index of one segment takes at most 64 kB.
const MAX_ENTRIES: usize = 4096;

/// Some record starts of one segment: the search for a message begins at the last one before it.
#[derive(Debug)]
pub(crate) struct SparseIndex {
    /// Place of a record's first message, and the record's offset; in order of both.
    entries: Vec<(Sequence, u64)>,
    spacing_bytes: u64,
}

impl Default for SparseIndex {
    fn default() -> Self {
        Self { entries: Vec::new(), spacing_bytes: SPACING_BYTES }
    }
}

impl SparseIndex {
    /// Notes that a record whose first message is `first` starts at `offset`.
    pub(crate) fn note(&mut self, first: Sequence, offset: u64) {
        let at = self.entries.partition_point(|entry| entry.1 < offset);
        let before = at.checked_sub(1).map_or(0, |index| self.entries[index].1);
        let too_close = offset < before + self.spacing_bytes
            || self.entries.get(at).is_some_and(|next| next.1 < offset + self.spacing_bytes);
        if too_close {
            return;
        }
        self.entries.insert(at, (first, offset));
        if self.entries.len() > MAX_ENTRIES {
            self.thin_out();
        }
    }

    /// A record start from which the record with `sequence` is reached by going forward, if any
    /// is nearer than the start of the segment.
    pub(crate) fn before(&self, sequence: Sequence) -> Option<(Sequence, u64)> {
        let behind = self.entries.partition_point(|entry| entry.0 <= sequence);
        behind.checked_sub(1).map(|index| self.entries[index])
    }

    fn thin_out(&mut self) {
        self.spacing_bytes *= 2;
        let mut keep = false;
        self.entries.retain(|_| {
            keep = !keep;
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_last_entry_before() {
        let mut index = SparseIndex::default();
        assert_eq!(index.before(Sequence(5)), None);
        for at in [0, 1, 2, 5, 3] {
            index.note(Sequence(at * 10), at * SPACING_BYTES);
        }
        index.note(Sequence(21), 2 * SPACING_BYTES + 7);
        assert_eq!(index.before(Sequence(9)), None);
        assert_eq!(index.before(Sequence(29)), Some((Sequence(20), 2 * SPACING_BYTES)));
        assert_eq!(index.before(Sequence(30)), Some((Sequence(30), 3 * SPACING_BYTES)));
        assert_eq!(index.before(Sequence(99)), Some((Sequence(50), 5 * SPACING_BYTES)));
    }

    #[test]
    fn is_bounded() {
        let mut index = SparseIndex::default();
        for at in 1..100_000 {
            index.note(Sequence(at), at * SPACING_BYTES);
        }
        assert!(index.entries.len() <= MAX_ENTRIES);
        let (sequence, offset) = index.before(Sequence(90_000)).unwrap();
        assert_eq!(offset, sequence.0 * SPACING_BYTES);
        assert!(sequence.until(Sequence(90_000)) < 100);
    }
}
