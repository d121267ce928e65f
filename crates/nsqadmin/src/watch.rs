//! The task that looks at the cluster again and again, and what it has seen.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::watch;

use crate::chart::{Chart, Subject};
use crate::overview::Overview;

/// What is seen of the cluster from time to time.
#[derive(Debug)]
pub(crate) struct Watch {
    interval: Duration,
    overview: RwLock<Option<Arc<Overview>>>,
    looks: watch::Sender<u64>,
}

impl Watch {
    /// One that looks every `interval`, or never if that is zero.
    pub(crate) fn new(interval: Duration, _length: Duration) -> Self {
        let looks = watch::Sender::new(0);
        Self { interval, overview: RwLock::new(None), looks }
    }

    /// The newest look; none before the first, or when nobody looks.
    pub(crate) fn overview(&self) -> Option<Arc<Overview>> {
        self.overview.read().clone()
    }

    /// A copy of what is kept of a subject.
    pub(crate) fn chart(&self, _subject: &Subject) -> Option<Chart> {
        None
    }

    /// How many looks there were; changes with each.
    pub(crate) fn looks(&self) -> watch::Receiver<u64> {
        self.looks.subscribe()
    }

    /// Whether anybody looks.
    pub(crate) fn is_on(&self) -> bool {
        !self.interval.is_zero()
    }
}
