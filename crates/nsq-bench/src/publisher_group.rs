//! `PublisherGroup`: the publishers one thread takes care of.
//!
//! With one command in the pipe of each connection, a thread per connection would spend more on
//! waking up than the daemon spends on the message. One thread that serves many connections finds
//! several answers each time it wakes up.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::crew::Switch;
use crate::publisher::Publisher;
use crate::readiness::wait_readable;

/// Pause when every publisher is held back and has no answer to wait for.
const HELD_BACK_PAUSE: Duration = Duration::from_micros(200);

/// Publishers served by one thread.
pub(crate) struct PublisherGroup {
    publishers: Vec<Publisher>,
}

impl PublisherGroup {
    /// Takes over the publishers.
    pub(crate) fn new(publishers: Vec<Publisher>) -> Self {
        Self { publishers }
    }

    /// Publishes until the quota is reached or the switch stops it, and every answer has come.
    pub(crate) fn run(mut self, switch: &Switch) -> Result<()> {
        loop {
            let stopping = switch.is_stopped();
            if !stopping {
                self.publishers.iter_mut().try_for_each(Publisher::refill)?;
            }
            self.publishers.retain(|publisher| {
                publisher.unanswered() > 0 || !(stopping || publisher.is_done())
            });
            let pause = self.publishers.iter().map(Publisher::pause).min().unwrap_or_default();
            if !pause.is_zero() {
                thread::sleep(pause);
            }
            match self.publishers.as_mut_slice() {
                [] => return Ok(()),
                [only] if only.unanswered() > 0 => only.receive()?,
                several if several.iter().any(|publisher| publisher.unanswered() > 0) => {
                    receive_ready(several)?;
                }
                _ => thread::sleep(HELD_BACK_PAUSE),
            }
        }
    }
}

fn receive_ready(publishers: &mut [Publisher]) -> Result<()> {
    let ready = wait_readable(publishers.iter().map(Publisher::connection))?;
    for (publisher, ready) in publishers.iter_mut().zip(ready) {
        if ready {
            publisher.receive()?;
        } else {
            publisher.check_patience()?;
        }
    }
    Ok(())
}
