//! What has been written since the last sync.

/// The files and directories of a log that a power cut could still undo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dirty {
    /// Numbers of segments, ascending.
    segments: Vec<u64>,
    /// A spare file became a segment.
    pub(crate) spares: bool,
    /// A file appeared in the log's directory.
    pub(crate) directory: bool,
    /// The log's directory itself appeared.
    pub(crate) parents: bool,
}

impl Dirty {
    /// Notes that segment `number` was written. Numbers never go back.
    pub(crate) fn mark(&mut self, number: u64) {
        if self.segments.last() != Some(&number) {
            self.segments.push(number);
        }
    }

    /// Puts back what could not be synced.
    pub(crate) fn put_back(&mut self, earlier: Self) {
        self.segments.extend(earlier.segments);
        self.segments.sort_unstable();
        self.segments.dedup();
        self.spares |= earlier.spares;
        self.directory |= earlier.directory;
        self.parents |= earlier.parents;
    }

    /// The oldest segment that is not synced.
    pub(crate) fn first(&self) -> Option<u64> {
        self.segments.first().copied()
    }

    /// Notes that segment `number` is synced, or never will be.
    pub(crate) fn clear(&mut self, number: u64) {
        self.segments.retain(|&segment| segment != number);
    }
}
