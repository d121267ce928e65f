//! Steady traffic.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::http;

/// Time between two rounds of publishing.
const EVERY: Duration = Duration::from_millis(100);

/// A thread that publishes one message in turn to each of its targets, until this is dropped.
#[derive(Debug)]
pub(super) struct Publisher {
    stop: Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Publisher {
    /// Publishes to these topics on these nsqd, `(address, topic)`.
    pub(super) fn start(targets: Vec<(String, &'static str)>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut number = 0_u64;
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                for (address, topic) in &targets {
                    number += 1;
                    let body = format!("{{\"number\":{number},\"of\":\"{topic}\"}}");
                    let target = format!("/pub?topic={}", topic.replace('#', "%23"));
                    http::order(address, &target, body.as_bytes())?;
                }
            }
            Ok(())
        });
        Self { stop, thread }
    }

    /// Ends it, and says what went wrong on the way.
    pub(super) fn stop(self) -> Result<()> {
        drop(self.stop);
        self.thread.join().map_err(|_| anyhow!("the publisher panicked"))?
    }
}
