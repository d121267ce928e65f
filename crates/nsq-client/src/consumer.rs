//! Consuming messages of one channel.

mod backoff;
mod connection;
mod flow;
mod inbox;
mod outbox;
mod shared;
mod supervisor;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use nsq_proto::{ChannelName, TopicName};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use crate::dialer::Dialer;
use crate::error::Reason;
use crate::lookupd::{Lookupd, Question};
use crate::{Config, ConnectError, Handler, Message, SetupError};

use self::shared::{Life, Shared};
use self::supervisor::{Request, Supervisor};

pub(crate) use self::backoff::Verdict;
pub(crate) use self::outbox::{Answer, Outbox};

/// Gets the messages of one channel from any number of nsqd.
///
/// Made with [`new`](Self::new), told where to connect, then used with [`next`](Self::next), as a
/// [`Stream`], or with [`run`](Self::run) and a [`Handler`]. Connections that are lost are made
/// again, with growing pauses of up to 15 s. `max_in_flight` messages at most are on this side at
/// any time, over all connections.
///
/// After failures the consumer backs off as go-nsq does: it stops all connections for a time that
/// doubles with each failure, then tries one message.
///
/// ```no_run
/// use nsq_client::{Config, Consumer};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let config = Config { max_in_flight: 200, ..Config::default() };
///     let mut consumer = Consumer::new("topic-1", "channel-1", config)?;
///     consumer.connect_to_nsqds(&["127.0.0.1:4150"]).await?;
///     while let Some(message) = consumer.next().await {
///         println!("{}", String::from_utf8_lossy(message.body()));
///         message.finish();
///     }
///     Ok(())
/// }
/// ```
///
/// Dropping it closes its connections; what is in flight then goes to other consumers at once. See
/// [`stop`](Self::stop) for an orderly end.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    /// To the supervisor, once there is one.
    requests: Option<mpsc::Sender<Request>>,
    /// Taken from the inbox and not yet handed out.
    taken: VecDeque<Message>,
}

/// Steers a consumer from elsewhere. Clones steer the same one.
#[derive(Clone, Debug)]
pub struct ConsumerHandle {
    shared: Arc<Shared>,
}

/// The consumer takes no requests any more.
struct Stopped;

impl Consumer {
    /// A consumer that is not connected yet. A channel or topic that does not exist is created by
    /// nsqd.
    ///
    /// # Errors
    ///
    /// When a name is none or an option has a value that it cannot have.
    pub fn new(topic: &str, channel: &str, config: Config) -> Result<Self, SetupError> {
        let topic = TopicName::parse(topic.as_bytes()).map_err(|_| SetupError::TopicName)?;
        let channel =
            ChannelName::parse(channel.as_bytes()).map_err(|_| SetupError::ChannelName)?;
        let shared = Arc::new(Shared::new(topic, channel, Dialer::new(config)?));
        Ok(Self { shared, requests: None, taken: VecDeque::new() })
    }

    /// Connects to these nsqd: `host:port`, or the path of a unix socket. Later losses are made
    /// good by the consumer itself.
    ///
    /// # Errors
    ///
    /// When one of them cannot be used now, those in front of it being connected, or the consumer
    /// was stopped.
    pub async fn connect_to_nsqds(
        &mut self,
        addresses: &[impl AsRef<str>],
    ) -> Result<(), ConnectError> {
        for address in addresses {
            let address = address.as_ref();
            let stopped = || ConnectError { address: address.to_owned(), reason: Reason::Stopped };
            let mut life = self.shared.life.subscribe();
            let connected = tokio::select! {
                biased;
                _ = life.wait_for(|life| *life != Life::Running) => return Err(stopped()),
                connected = self.shared.connect(address) => connected,
            };
            let (wire, facts) = connected?;
            let wire = Box::new(wire);
            let adopt = Request::Adopt { address: address.to_owned(), wire, facts };
            self.request(adopt).await.map_err(|Stopped| stopped())?;
        }
        Ok(())
    }

    /// Connects to the nsqd nodes that these nsqlookupds name for the topic, now and whenever that
    /// changes. An address is `host:port` or a URL. All are asked, again and again; one that
    /// is down does no harm.
    ///
    /// # Errors
    ///
    /// When an address is none, TLS for it cannot be set up, or the consumer was stopped.
    pub async fn connect_to_lookupds(
        &mut self,
        addresses: &[impl AsRef<str>],
    ) -> Result<(), SetupError> {
        let Dialer { config, tls } = &self.shared.dialer;
        let mut lookupds = Vec::new();
        for address in addresses {
            let question = Question::Topic(self.shared.topic.to_string());
            let (label, tls) = (self.shared.label(), tls.as_ref());
            lookupds.push(Lookupd::new(label, address.as_ref(), question, config, tls)?);
        }
        for lookupd in lookupds {
            let asked = self.request(Request::Watch(Box::new(lookupd))).await;
            asked.map_err(|Stopped| SetupError::Stopped)?;
        }
        Ok(())
    }

    async fn request(&mut self, request: Request) -> Result<(), Stopped> {
        let shared = &self.shared;
        if *shared.life.borrow() != Life::Running {
            return Err(Stopped);
        }
        let requests = self.requests.get_or_insert_with(|| Supervisor::spawn(Arc::clone(shared)));
        requests.send(request).await.map_err(|_| Stopped)
    }

    /// The next message. None when the consumer was stopped and nothing is left, or was never
    /// connected. May be dropped without losing anything.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            let Some(message) = self.taken.pop_front() else {
                if self.requests.is_none() {
                    return Poll::Ready(None);
                }
                let more = ready!(self.shared.inbox.poll_take_all(context, &mut self.taken));
                if more {
                    continue;
                }
                return Poll::Ready(None);
            };
            if !self.shared.is_given_up(&message) {
                return Poll::Ready(Some(message));
            }
            message.finish();
        }
    }

    /// Hands messages to `handler`, up to `concurrency` (at least 1) at a time, each in a task of
    /// the runtime's, until the consumer is stopped and everything is answered. If this is
    /// dropped, what is being handled is dropped, too, and requeued.
    pub async fn run<H: Handler>(mut self, handler: H, concurrency: usize) {
        if self.requests.is_none() {
            return;
        }
        let handler = Arc::new(handler);
        let mut first = std::mem::take(&mut self.taken).into_iter().collect();
        self.shared.inbox.push(&mut first);
        let mut tasks = JoinSet::new();
        for _ in 0..concurrency.max(1) {
            tasks.spawn(handle_all(Arc::clone(&self.shared), Arc::clone(&handler)));
        }
        while let Some(ended) = tasks.join_next().await {
            // Whoever was cancelled has lost its runtime: another would fare no better.
            let Some(error) = ended.err().filter(JoinError::is_panic) else { continue };
            log::error!("{} a handler panicked: {error}", self.shared.label());
            tasks.spawn(handle_all(Arc::clone(&self.shared), Arc::clone(&handler)));
        }
    }

    /// Something to steer the consumer with from elsewhere.
    #[must_use]
    pub fn handle(&self) -> ConsumerHandle {
        ConsumerHandle { shared: Arc::clone(&self.shared) }
    }

    /// Ends in good order: no more messages are taken, what was not handed out yet is requeued at
    /// once, what was is waited for, for `stop_timeout` at most.
    pub async fn stop(mut self) {
        if self.requests.is_none() {
            return;
        }
        self.shared.stop();
        loop {
            for message in self.taken.drain(..) {
                message.requeue_without_backoff(Duration::ZERO);
            }
            let Self { shared, taken, .. } = &mut self;
            if !poll_fn(|context| shared.inbox.poll_take_all(context, taken)).await {
                return;
            }
        }
    }
}

/// As [`Consumer::next`].
impl Stream for Consumer {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll(context)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.life.send_replace(Life::Over);
        for message in self.taken.drain(..) {
            message.requeue_without_backoff(Duration::ZERO);
        }
        self.shared.inbox.give_back();
    }
}

impl ConsumerHandle {
    /// Stops taking messages. What was received is still handed out and can be answered, for
    /// `stop_timeout`; then [`Consumer::next`] returns none and [`Consumer::run`] ends.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// From now on so many messages may be in flight; 0 pauses.
    pub fn change_max_in_flight(&self, count: u32) {
        self.shared.change_max_in_flight(count);
    }

    /// Whether a connection has 85 % or more of the messages that it may have in flight: time to
    /// answer some.
    #[must_use]
    pub fn is_starved(&self) -> bool {
        self.shared.is_starved()
    }

    /// How many nsqd it is connected to.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.shared.connection_count()
    }

    /// How many messages came and are not answered yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight()
    }
}

async fn handle_all<H: Handler>(shared: Arc<Shared>, handler: Arc<H>) {
    while let Some(message) = shared.inbox.take_one().await {
        if shared.is_given_up(&message) {
            handler.on_given_up(&message).await;
            message.finish();
            continue;
        }
        match handler.handle(&message).await {
            Ok(()) => message.finish(),
            Err(error) => {
                let (label, id) = (shared.label(), message.id());
                log::error!("{label} Handler returned error ({error}) for msg {id}");
                message.requeue();
            }
        }
    }
}
