//! The line of consumers that found nothing, and who is woken when there is something.
//!
//! First come, first served, among those that are equally near; nearer ones come first. What is
//! left when the nearer ones that wait have all they may have is for the others, so nobody waits
//! for a message that nobody else takes.

use super::Channel;
use crate::consumer::ConsumerKey;

impl<W: Clone> Channel<W> {
    /// Puts a consumer in line for what comes next: while the log is being read for the channel.
    pub fn wait(&mut self, key: ConsumerKey) {
        self.stand_in_line(key);
    }

    /// A consumer that was woken does not come for messages now. Returns whom to wake instead.
    #[must_use]
    pub fn decline(&mut self, key: ConsumerKey) -> Option<W> {
        if let Some(consumer) = self.consumers.get_mut(key.index()) {
            consumer.called = false;
        }
        self.wake_next()
    }

    /// Whom to wake when there is something for those in line.
    #[must_use]
    pub fn wake_in_line(&mut self) -> Option<W> {
        self.wake_next()
    }

    pub(super) fn stand_in_line(&mut self, key: ConsumerKey) {
        if let Some(consumer) = self.consumers.get_mut(key.index()).filter(|c| !c.waiting) {
            consumer.waiting = true;
            self.line.push_back(key);
        }
    }

    /// The next consumer in line, when there is something for it. It leaves the line: should it
    /// be gone or not be ready any more when it comes, it passes the word on.
    pub(super) fn wake_next(&mut self) -> Option<W> {
        if self.line.is_empty() || self.paused || self.census().waiting == 0 {
            return None;
        }
        let key = if self.near_consumers == 0 {
            self.line.pop_front()?
        } else {
            let place = self.place_of_nearest();
            if self.left_by_nearer(*self.line.get(place)?) == 0 {
                return None;
            }
            self.line.remove(place)?
        };
        let consumer = self.consumers.get_mut(key.index())?;
        consumer.waiting = false;
        consumer.called = true;
        Some(consumer.wake.clone())
    }

    /// Everybody, to come and see.
    pub(super) fn everybody(&mut self) -> Vec<W> {
        self.line.clear();
        for (_, consumer) in &mut self.consumers {
            consumer.waiting = false;
            consumer.called = true;
        }
        self.consumers.iter().map(|(_, consumer)| consumer.wake.clone()).collect()
    }

    /// How much a consumer may take while others that are as near wait for messages too.
    pub(super) fn fair_share(&self, key: ConsumerKey) -> u64 {
        let others = match (self.near_consumers, self.consumers.get(key.index())) {
            (1.., Some(consumer)) => {
                let mine = consumer.subscription.proximity;
                let line = self.line.iter().filter_map(|key| self.consumers.get(key.index()));
                line.filter(|other| other.subscription.proximity <= mine).count() as u64
            }
            _ => self.line.len() as u64,
        };
        match others {
            0 => u64::MAX,
            others => self.census().waiting.div_ceil(others + 1).max(1),
        }
    }

    /// How many of the waiting messages are left for a consumer when the nearer ones that wait,
    /// or were just woken, have got what they may have.
    pub(super) fn left_by_nearer(&self, key: ConsumerKey) -> u64 {
        let Some(consumer) = self.consumers.get(key.index()) else { return 0 };
        let mine = consumer.subscription.proximity;
        let others = self.consumers.iter().map(|(_, other)| other);
        let nearer = others.filter(|other| other.subscription.proximity < mine);
        let coming = nearer.filter(|other| other.waiting || other.called);
        let wanted: u64 = coming.map(|other| u64::from(other.room())).sum();
        self.census().waiting.saturating_sub(wanted)
    }

    fn place_of_nearest(&self) -> usize {
        let proximity = |key: &ConsumerKey| {
            self.consumers.get(key.index()).map(|consumer| consumer.subscription.proximity)
        };
        let places = self.line.iter().enumerate();
        let nearest = places.min_by_key(|(place, key)| (proximity(key), *place));
        nearest.map_or(0, |(place, _)| place)
    }
}
