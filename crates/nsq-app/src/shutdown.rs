//! The daemon's one decision to stop, made by anyone, heard by all.

use std::sync::Arc;

use tokio::sync::watch;

/// A flag that goes up once. Clones share it.
///
/// ```text
/// running ──begin()──> stopping
/// ```
#[derive(Debug, Clone)]
pub struct Shutdown {
    begun: Arc<watch::Sender<bool>>,
}

impl Shutdown {
    /// Running.
    #[must_use]
    pub fn new() -> Self {
        Self { begun: Arc::new(watch::Sender::new(false)) }
    }

    /// Starts stopping. Returns whether this call was the first.
    pub fn begin(&self) -> bool {
        self.begun.send_if_modified(|begun| !std::mem::replace(begun, true))
    }

    /// Whether [`begin`](Self::begin) was called.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.begun.borrow()
    }

    /// Returns as soon as [`begin`](Self::begin) was called, at once if it was before.
    pub async fn wait(&self) {
        self.begun.subscribe().wait_for(|begun| *begun).await.expect("the sender lives in self");
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Shutdown;

    #[tokio::test]
    async fn every_waiter_hears_it_once_begun() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.has_begun());
        let early = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.wait().await }
        });
        assert!(shutdown.begin());
        assert!(!shutdown.begin());
        early.await.expect("the waiter returns");
        shutdown.wait().await;
        assert!(shutdown.has_begun());
    }
}
