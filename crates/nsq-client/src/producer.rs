//! Publishing messages.

mod batch;
mod pipe;
mod queue;
mod supervisor;
mod ticket;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use crate::dialer::Dialer;
use crate::instance::next_instance;
use crate::lookupd::{Lookupd, Question};
use crate::{Config, PublishError, SetupError};

use self::supervisor::{Life, Reach, Shared};

pub use self::ticket::Receipt;

/// Publishes messages to one nsqd or to any of several. Clones share its connections.
///
/// Publishing from many tasks at once is fast: what is published while a connection is busy goes
/// out with its next write, as one `MPUB` for each topic, and every publisher still gets its own
/// answer. Alone, a message goes out at once.
///
/// With several nsqd each message goes to one of them, whichever has nothing to do. A node that
/// fails is left out until it is back. A message whose answer was lost with its connection is
/// published again, unless `publish_retry` is off: then it may be there twice, as NSQ's delivery
/// is at least once in any case. What nsqd refuses is an error at once.
///
/// ```no_run
/// use nsq_client::{Config, Producer};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let producer = Producer::new(&["127.0.0.1:4150"], Config::default())?;
/// producer.publish("topic-1", "hello").await?;
/// producer.close().await;
/// # Ok(())
/// # }
/// ```
///
/// Connections are made with the first publish. When the last clone is dropped, what was
/// handed over is still published, as long as the runtime lives.
#[derive(Clone, Debug)]
pub struct Producer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    /// What to connect to, until that is begun.
    targets: Mutex<Option<Targets>>,
    is_started: OnceLock<()>,
}

#[derive(Debug)]
struct Targets {
    /// One given twice is one.
    addresses: BTreeSet<String>,
    lookupds: Vec<Lookupd>,
}

impl Producer {
    /// A producer for these nsqd: `host:port`, or the path of a unix socket.
    ///
    /// # Errors
    ///
    /// When there is no address, or an option has a value that it cannot have.
    pub fn new(addresses: &[impl AsRef<str>], config: Config) -> Result<Self, SetupError> {
        if addresses.is_empty() {
            return Err(SetupError::NoAddress);
        }
        let addresses: BTreeSet<_> = addresses.iter().map(|it| it.as_ref().to_owned()).collect();
        let dialer = Dialer::new(config)?;
        Ok(Self::with(dialer, next_instance(), Targets { addresses, lookupds: Vec::new() }))
    }

    /// A producer for all nsqd that these nsqlookupds know, `host:port` or a URL each, as they
    /// come and go.
    ///
    /// # Errors
    ///
    /// When an address is none, or an option has a value that it cannot have.
    pub fn with_lookupds(
        addresses: &[impl AsRef<str>],
        config: Config,
    ) -> Result<Self, SetupError> {
        if addresses.is_empty() {
            return Err(SetupError::NoAddress);
        }
        let (dialer, instance) = (Dialer::new(config)?, next_instance());
        let mut lookupds = Vec::new();
        for address in addresses {
            let Dialer { config, tls } = &dialer;
            let (label, address, tls) = (format!("{instance:3}"), address.as_ref(), tls.as_ref());
            lookupds.push(Lookupd::new(label, address, Question::Nodes, config, tls)?);
        }
        Ok(Self::with(dialer, instance, Targets { addresses: BTreeSet::new(), lookupds }))
    }

    fn with(dialer: Dialer, instance: u32, targets: Targets) -> Self {
        let shared = Arc::new(Shared::new(dialer, instance));
        let targets = Mutex::new(Some(targets));
        Self { inner: Arc::new(Inner { shared, targets, is_started: OnceLock::new() }) }
    }

    /// Connects, which the first publish does otherwise. Returns as soon as one nsqd can be
    /// published to.
    ///
    /// # Errors
    ///
    /// When every one has failed, none is known within `publish_timeout`, or it was closed.
    pub async fn connect(&self) -> Result<(), PublishError> {
        self.start();
        let mut reach = self.inner.shared.reach.subscribe();
        let patience = self.inner.shared.dialer.config.publish_timeout;
        let settled = reach.wait_for(|reach| *reach != Reach::Unknown);
        let mut life = self.inner.shared.life.subscribe();
        let settled = tokio::select! {
            biased;
            _ = life.wait_for(|life| *life != Life::Running) => return Err(PublishError::Stopped),
            settled = tokio::time::timeout(patience, settled) => settled,
        };
        match settled {
            Ok(Ok(reach)) => match &*reach {
                Reach::None(error) => Err(PublishError::NotConnected(Arc::clone(error))),
                Reach::Some | Reach::Unknown => Ok(()),
            },
            Ok(Err(_)) => Err(PublishError::Stopped),
            Err(_) => Err(PublishError::NotConnected("no nsqd is known".into())),
        }
    }

    /// Publishes a message and waits until nsqd has it.
    ///
    /// # Errors
    ///
    /// See [`PublishError`].
    pub async fn publish(&self, topic: &str, body: impl AsRef<[u8]>) -> Result<(), PublishError> {
        self.enqueue(topic, body).await?.await
    }

    /// Hands a message over to be published. Waits only while `max_outstanding` messages are not
    /// answered yet. The receipt says what becomes of it.
    ///
    /// # Errors
    ///
    /// When it cannot be published at all.
    pub async fn enqueue(
        &self,
        topic: &str,
        body: impl AsRef<[u8]>,
    ) -> Result<Receipt, PublishError> {
        let body = body.as_ref();
        if body.is_empty() {
            return Err(PublishError::EmptyBody);
        }
        self.start();
        self.inner.shared.queue.publish(topic, body).await
    }

    /// Publishes several messages with one command: nsqd takes all of them or none. No message is
    /// published at once.
    ///
    /// # Errors
    ///
    /// See [`PublishError`].
    pub async fn publish_multi<B: AsRef<[u8]>>(
        &self,
        topic: &str,
        bodies: &[B],
    ) -> Result<(), PublishError> {
        if bodies.iter().any(|body| body.as_ref().is_empty()) {
            return Err(PublishError::EmptyBody);
        }
        if bodies.is_empty() {
            return Ok(());
        }
        self.start();
        let bodies = bodies.iter().map(AsRef::as_ref);
        self.inner.shared.queue.publish_whole(topic, None, bodies).await?.await
    }

    /// Publishes a message that is delivered after `delay` at the earliest, in whole milliseconds
    /// and at most nsqd's `--max-req-timeout` (an hour unless set otherwise).
    ///
    /// # Errors
    ///
    /// See [`PublishError`].
    pub async fn publish_deferred(
        &self,
        topic: &str,
        delay: Duration,
        body: impl AsRef<[u8]>,
    ) -> Result<(), PublishError> {
        let body = body.as_ref();
        if body.is_empty() {
            return Err(PublishError::EmptyBody);
        }
        self.start();
        let bodies = std::iter::once(body);
        self.inner.shared.queue.publish_whole(topic, Some(delay), bodies).await?.await
    }

    /// Takes nothing more in, for all clones, and waits for the answers to what was: for
    /// `publish_timeout` at most, after which that has failed.
    pub async fn close(&self) {
        self.inner.shared.queue.close();
        self.inner.close();
        self.inner.shared.queue.settled().await;
    }

    fn start(&self) {
        self.inner.is_started.get_or_init(|| {
            if let Some(Targets { addresses, lookupds }) = self.inner.targets.lock().take() {
                supervisor::spawn(Arc::clone(&self.inner.shared), addresses, lookupds);
            }
        });
    }
}

impl Inner {
    fn close(&self) {
        self.shared.queue.close();
        self.shared.life.send_if_modified(|life| {
            let begins = *life == Life::Running;
            if begins {
                *life = Life::Closing;
            }
            begins
        });
        // The supervisor looks at it again.
        self.shared.queue.watched.notify_one();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
