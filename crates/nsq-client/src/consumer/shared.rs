//! What all parts of one consumer share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nsq_proto::{ChannelName, TopicName};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::backoff::{BackoffRules, Phase, Verdict};
use super::flow::{Change, ConnectionId, Flow, FlowRules};
use super::inbox::Inbox;
use super::outbox::Outbox;
use crate::dialer::{Dialer, Facts};
use crate::instance::next_instance;
use crate::wire::Wire;
use crate::{Config, ConnectError, Message};

/// From this share of its ready count in flight on, a connection is about to starve; go-nsq's.
const STARVED_SHARE: f64 = 0.85;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) topic: TopicName,
    pub(crate) channel: ChannelName,
    pub(crate) dialer: Dialer,
    /// A number for log lines.
    pub(crate) instance: u32,
    pub(crate) inbox: Inbox,
    control: Mutex<Control>,
    /// The level of back-off, to see without a lock that there is none.
    backoff_level: AtomicU32,
    /// A deadline of `flow` has changed.
    pub(super) rescheduled: Notify,
    pub(super) life: watch::Sender<Life>,
}

#[derive(Debug)]
struct Control {
    flow: Flow,
    connections: BTreeMap<ConnectionId, Arc<Outbox>>,
    next_id: ConnectionId,
}

/// How much longer a consumer lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    /// Nothing new comes; what is in flight is waited for.
    Draining,
    /// Nobody is left to answer anything.
    Over,
}

impl Shared {
    pub(crate) fn new(topic: TopicName, channel: ChannelName, dialer: Dialer) -> Self {
        let flow = Flow::new(rules(&dialer.config));
        Self {
            topic,
            channel,
            dialer,
            instance: next_instance(),
            inbox: Inbox::default(),
            control: Mutex::new(Control { flow, connections: BTreeMap::new(), next_id: 1 }),
            backoff_level: AtomicU32::new(0),
            rescheduled: Notify::new(),
            life: watch::Sender::new(Life::Running),
        }
    }

    /// What log lines begin with: `  1 [topic/channel]`.
    pub(crate) fn label(&self) -> String {
        format!("{:3} [{}/{}]", self.instance, self.topic, self.channel)
    }

    /// Connects to an nsqd, which is logged.
    pub(super) async fn connect(&self, address: &str) -> Result<(Wire, Facts), ConnectError> {
        log::info!("{} ({address}) connecting to nsqd", self.label());
        self.dialer.connect(address).await
    }

    /// A connection is there. None if no more are wanted.
    pub(super) fn connected(
        self: &Arc<Self>,
        address: &str,
        facts: &Facts,
    ) -> Option<Registration> {
        let max_ready = facts.max_ready();
        let wanted = self.dialer.config.max_in_flight;
        if max_ready < wanted {
            let label = self.label();
            log::warn!(
                "{label} ({address}) max RDY count {max_ready} < consumer max in flight \
                {wanted}, truncation possible"
            );
        }
        let mut control = self.control.lock();
        if *self.life.borrow() != Life::Running {
            return None;
        }
        let id = control.next_id;
        control.next_id += 1;
        let outbox = Arc::new(Outbox::new(id, address.into(), Arc::clone(self)));
        control.connections.insert(id, Arc::clone(&outbox));
        let changes = control.flow.connected(id, max_ready, Instant::now());
        self.apply(&control, &changes);
        Some(Registration { outbox })
    }

    /// A message was answered.
    pub(crate) fn answered(&self, verdict: Verdict) {
        let level = self.backoff_level.load(Ordering::Relaxed);
        if level == 0 && verdict != Verdict::Failure {
            return;
        }
        let mut control = self.control.lock();
        let before = control.flow.backoff().phase();
        let now = Instant::now();
        let changes = control.flow.answered(verdict, now, fastrand::f64());
        self.apply(&control, &changes);
        let backoff = control.flow.backoff();
        let label = self.label();
        match backoff.phase() {
            phase if phase == before => {}
            Phase::Waiting { until } => {
                let (wait, level) = (until - now, backoff.level());
                log::warn!(
                    "{label} backing off for {wait:?} (backoff level {level}), setting all \
                    to RDY 0"
                );
            }
            Phase::Off => {
                let share = control.flow.full_share();
                log::warn!("{label} exiting backoff, returning all to RDY {share}");
            }
            Phase::Probing => {}
        }
    }

    /// Whether a message was delivered too often; then that is logged.
    pub(super) fn is_given_up(&self, message: &Message) -> bool {
        let (attempts, most) = (message.attempts(), self.dialer.config.max_attempts);
        let is_given_up = most > 0 && attempts > most;
        if is_given_up {
            let (label, id) = (self.label(), message.id());
            log::warn!("{label} msg {id} attempted {attempts} times, giving up");
        }
        is_given_up
    }

    /// A connection brought messages.
    pub(super) fn brought(&self, id: ConnectionId) {
        self.control.lock().flow.brought(id, Instant::now());
    }

    /// Does what is due. Returns when something will be due next.
    pub(super) fn expire(&self) -> Option<Instant> {
        let mut control = self.control.lock();
        let before = control.flow.backoff().phase();
        let changes = control.flow.expire(Instant::now());
        if before != control.flow.backoff().phase() {
            log::warn!("{} backoff timeout expired, sending RDY 1", self.label());
        }
        self.apply(&control, &changes);
        control.flow.next_deadline()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.control.lock().flow.next_deadline()
    }

    /// From now on so many messages may be in flight.
    pub(super) fn change_max_in_flight(&self, count: u32) {
        let mut control = self.control.lock();
        let changes = control.flow.change_max_in_flight(count, Instant::now());
        self.apply(&control, &changes);
    }

    /// Whether a connection has nearly as much in flight as it may.
    pub(super) fn is_starved(&self) -> bool {
        let control = self.control.lock();
        control.connections.iter().any(|(id, outbox)| {
            let (in_flight, ready) = (outbox.in_flight(), control.flow.ready(*id));
            in_flight > 0 && in_flight as f64 >= f64::from(ready) * STARVED_SHARE
        })
    }

    pub(super) fn connection_count(&self) -> usize {
        self.control.lock().connections.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.control.lock().connections.values().map(|outbox| outbox.in_flight()).sum()
    }

    /// Asks all connections to end as soon as their messages are answered.
    pub(super) fn stop(&self) {
        let begins = self.life.send_if_modified(|life| {
            let begins = *life == Life::Running;
            if begins {
                *life = Life::Draining;
            }
            begins
        });
        if begins {
            log::info!("{} stopping...", self.label());
            // Whoever registers from here on sees that it is too late.
            self.control.lock().connections.values().for_each(|outbox| outbox.close());
        }
    }

    fn apply(&self, control: &Control, changes: &[Change]) {
        for (id, count) in changes {
            if let Some(outbox) = control.connections.get(id) {
                outbox.change_ready(*count);
            }
        }
        let level = control.flow.backoff().level();
        self.backoff_level.store(level, Ordering::Relaxed);
        self.rescheduled.notify_one();
    }
}

/// A connection that has its part of the messages, until this is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) outbox: Arc<Outbox>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.outbox.gone();
        let shared = &self.outbox.consumer;
        shared.inbox.keep_newest_orphans(shared.dialer.config.max_in_flight.max(1) as usize);
        let mut control = shared.control.lock();
        control.connections.remove(&self.outbox.id);
        let changes = control.flow.lost(self.outbox.id, Instant::now());
        shared.apply(&control, &changes);
    }
}

fn rules(config: &Config) -> FlowRules {
    FlowRules {
        max_in_flight: config.max_in_flight,
        backoff: BackoffRules {
            strategy: config.backoff_strategy,
            multiplier: config.backoff_multiplier,
            max: config.max_backoff_duration,
        },
        low_ready_idle_timeout: config.low_rdy_idle_timeout,
        low_ready_timeout: config.low_rdy_timeout,
        redistribute_interval: config.rdy_redistribute_interval,
    }
}
