//! Telling an endpoint of actions, behind the back of those who wait for them.

use std::time::Duration;

use bytes::Bytes;
use nsq_api::{HttpClient, HttpUrl};
use nsq_app::{Logger, Shutdown};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::notification::Notification;

/// How many notifications wait at most; more are dropped.
const WAITING_MAX: usize = 1024;
/// How long to wait before each further attempt.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5)];

/// Takes notifications.
#[derive(Clone, Debug)]
pub(crate) struct Notifier {
    sender: Sender<Notification>,
    log: Logger,
}

/// Sends them, one at a time.
#[derive(Debug)]
pub(crate) struct Messenger {
    waiting: Receiver<Notification>,
    endpoint: HttpUrl,
    client: HttpClient,
    log: Logger,
}

/// Both ends of the queue.
pub(crate) fn notifier(
    endpoint: HttpUrl,
    client: HttpClient,
    log: Logger,
) -> (Notifier, Messenger) {
    let (sender, waiting) = channel(WAITING_MAX);
    (Notifier { sender, log: log.clone() }, Messenger { waiting, endpoint, client, log })
}

impl Notifier {
    /// Puts a notification into the queue. An action that was done is never undone by this.
    pub(crate) fn tell(&self, notification: Notification) {
        if self.sender.try_send(notification).is_err() {
            self.log.error(format_args!(
                "NOTIFY: dropping a notification: {WAITING_MAX} wait for the endpoint"
            ));
        }
    }
}

impl Messenger {
    /// Sends until `end` begins and the queue is empty.
    pub(crate) async fn run(mut self, end: Shutdown) {
        loop {
            let next = tokio::select! {
                biased;
                next = self.waiting.recv() => next,
                () = end.wait() => None,
            };
            let Some(notification) = next else { return };
            match nsq_api::to_json(&notification) {
                Ok(json) => self.send(Bytes::from(json)).await,
                Err(error) => self.log.error(format_args!("NOTIFY: {error}")),
            }
        }
    }

    async fn send(&self, json: Bytes) {
        let Self { endpoint, client, log, .. } = self;
        let mut pauses = PAUSES.iter();
        loop {
            let posted = client.post_json(endpoint, json.clone()).await;
            // Only what the server may take another time is repeated: not what it refused.
            let reason = match posted {
                Ok(answer) if !answer.status.is_server_error() => return,
                Ok(answer) => answer.status.to_string(),
                Err(error) => error.to_string(),
            };
            let Some(pause) = pauses.next() else {
                return log.error(format_args!("NOTIFY: POST {endpoint} failed - {reason}"));
            };
            log.warning(format_args!("NOTIFY: POST {endpoint} failed, once more - {reason}"));
            tokio::time::sleep(*pause).await;
        }
    }
}
