//! When what was written has to be synced.

/// Counts the messages that were written and cannot be finished before a sync.
#[derive(Debug)]
pub(super) struct SyncSchedule {
    /// `--max-in-flight`: with so many waiting, no others would come.
    limit: usize,
    waiting: usize,
    is_stopping: bool,
}

impl SyncSchedule {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit: limit.max(1) as usize, waiting: 0, is_stopping: false }
    }

    /// So many are to be written. Whether they have to be synced at once: because none would come
    /// without, or because the consumer can only stop when all are finished.
    pub(super) fn on_messages(&mut self, count: usize, is_starved: bool) -> bool {
        self.waiting += count;
        self.waiting >= self.limit || is_starved || self.is_stopping
    }

    /// From here on nothing waits.
    pub(super) fn on_stop(&mut self) {
        self.is_stopping = true;
    }

    pub(super) fn on_synced(&mut self) {
        self.waiting = 0;
    }

    /// How many more may be taken before a sync; at least one.
    pub(super) fn room(&self) -> usize {
        self.limit.saturating_sub(self.waiting).max(1)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::SyncSchedule;

    #[test]
    fn it_is_synced_when_nothing_more_would_come() {
        let mut schedule = SyncSchedule::new(5);
        assert!(!schedule.on_messages(4, false));
        assert_eq!((schedule.waiting(), schedule.room()), (4, 1));
        assert!(schedule.on_messages(1, false));
        schedule.on_synced();
        assert_eq!((schedule.waiting(), schedule.room()), (0, 5));
        assert!(schedule.on_messages(1, true), "starved");
        schedule.on_synced();
        schedule.on_stop();
        assert!(schedule.on_messages(1, false), "stopping");
    }

    #[test]
    fn one_message_at_a_time() {
        let mut schedule = SyncSchedule::new(0);
        assert_eq!(schedule.room(), 1);
        assert!(schedule.on_messages(1, false));
        assert_eq!(schedule.room(), 1);
    }
}
