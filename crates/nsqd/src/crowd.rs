//! How many TCP clients there may be at once, and who goes when there are more.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use nsq_net::Peer;

use crate::client::Client;
use crate::node::Node;

/// How long between two lines in the log about clients that were one too many.
const PAUSE: Duration = Duration::from_secs(1);

/// So few newcomers are not worth a look.
const TIDY_MIN: usize = 64;

/// Keeps the number of clients within bounds.
///
/// One too many takes the place of a connection that has not even sent the magic, so that a flood
/// of silent connections keeps nobody out. When there is none such it is closed at once: then it
/// can look for another daemon, which it could not while it waits in the kernel's queue.
#[derive(Debug)]
pub(crate) struct Crowd {
    max: usize,
    refused: u64,
    told_at: Option<Instant>,
    /// In the order in which they came. Some have sent the magic, or are gone.
    newcomers: VecDeque<Weak<Client>>,
    /// How many of them there may be until those who need not be known are taken out.
    tidy_at: usize,
}

impl Crowd {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, refused: 0, told_at: None, newcomers: VecDeque::new(), tidy_at: TIDY_MIN }
    }

    /// Notes somebody who was admitted.
    pub(crate) fn add(&mut self, client: &Arc<Client>) {
        // Even a weak reference keeps the memory of a client that is gone.
        if self.newcomers.len() >= self.tidy_at {
            self.newcomers.retain(|client| client.upgrade().is_some_and(|c| is_silent(&c)));
            self.tidy_at = TIDY_MIN.max(2 * self.newcomers.len());
        }
        self.newcomers.push_back(Arc::downgrade(client));
    }

    /// Whether another client may come while `connected` are there.
    pub(crate) fn admits(&mut self, node: &Node, connected: usize, peer: Peer) -> bool {
        if connected < self.max || self.replaces_silent() {
            return true;
        }
        self.refused += 1;
        // A flood of connections must not become a flood of log lines.
        if self.told_at.is_none_or(|told| told.elapsed() >= PAUSE) {
            let (max, refused) = (self.max, self.refused);
            node.log.warning(format_args!(
                "TCP: closing {peer}: {max} clients are connected, as many as --max-connections \
                 and the limit on open files allow ({refused} closed so far)"
            ));
            self.told_at = Some(Instant::now());
        }
        false
    }

    /// Closes the connection that has been silent for longest, if there is one.
    fn replaces_silent(&mut self) -> bool {
        while let Some(client) = self.newcomers.pop_front() {
            if let Some(client) = client.upgrade().filter(|client| is_silent(client)) {
                client.signal.close();
                return true;
            }
        }
        false
    }
}

fn is_silent(client: &Client) -> bool {
    !client.has_greeted.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use nsq_proto::{ClientSettings, IdentifyLimits};

    use super::*;

    #[test]
    fn clients_that_are_gone_are_forgotten() {
        let mut crowd = Crowd::new(1_000_000);
        let settings = ClientSettings::new("127.0.0.1", &IdentifyLimits::default());
        let address = Peer::Unix;
        let mut staying = Vec::new();
        for number in 0..10_000 {
            let client = Arc::new(Client::new(address, 0, settings.clone()));
            crowd.add(&client);
            if number % 1000 == 0 {
                staying.push(client);
            }
        }
        assert!(crowd.newcomers.len() <= 2 * TIDY_MIN, "{}", crowd.newcomers.len());
        let known: Vec<_> = crowd.newcomers.iter().filter_map(Weak::upgrade).collect();
        assert!(staying.iter().all(|client| known.iter().any(|other| Arc::ptr_eq(client, other))));
    }
}
