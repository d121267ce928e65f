//! Doing what the client said.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Buf;
use nsq_app::nanoseconds;
use nsq_broker::{ConsumerKey, Epochs, NotHeld as Held, Sequence};
use nsq_proto::{
    ChannelName, ClientState, Command, Decoded, Features, IdentifyAnswer, IdentifyRequest,
    MessageId, NotHeld, ProtocolError, TopicName, Verb, frame,
};

use super::{DEFAULT_OUTPUT_BUFFER, DELIVERY_BYTES, Driver, End};
use crate::auth::Secret;
use crate::channel::{Channel, wake};
use crate::client::{Client, add};
use crate::node::{Node, VERSION};
use crate::pending::{PublishKind, PublishRun};
use crate::topic::{JoinError, PublishError, Topic};

/// FINs are applied when so many have gathered.
const FINISH_RUN: usize = 4096;
/// How often a SUB tries to join a channel that is going away. Each time it was another one.
const JOIN_TRIES: usize = 10;

/// A client's place in a channel.
#[derive(Debug)]
pub(super) struct Subscribed {
    pub(super) topic: Arc<Topic>,
    pub(super) channel: Arc<Channel>,
    pub(super) key: ConsumerKey,
    pub(super) msg_timeout_ns: i64,
    /// What is handed out between two writes.
    pub(super) delivery_bytes: usize,
    ids: Ids,
}

/// Message ids to places in the log, as far as the log went when they were last looked up.
#[derive(Debug)]
struct Ids {
    /// Before `epochs` were read: they know all ids up to here.
    end: Sequence,
    epochs: Epochs,
}

/// A command that is done by itself. Owned, because doing it may wait.
enum Single {
    Identify(Vec<u8>),
    Auth(Secret),
    AnnouncePublish(TopicName),
    Subscribe(TopicName, ChannelName),
    Ready(u32),
    Requeue(MessageId, u64),
    Touch(MessageId),
    Close,
}

/// What decoding stopped at.
enum Stop {
    /// Nothing complete is left; so many bytes are needed.
    Incomplete(usize),
    /// The run is as large as it gets, or another kind of publish follows.
    RunEnds,
    /// This comes after what was gathered.
    Single(Single),
}

impl Driver {
    /// Does all complete commands of the input. Returns how many bytes the next one needs.
    pub(super) async fn execute(&mut self) -> Result<usize, End> {
        loop {
            let stop = self.gather();
            // What came before an error counts.
            self.finish_all();
            self.publish_all().await?;
            match stop? {
                Stop::RunEnds => {}
                Stop::Single(single) => self.execute_single(single).await?,
                Stop::Incomplete(at_least) => {
                    return Ok(at_least);
                }
            }
        }
    }

    /// Decodes as long as commands can be gathered.
    fn gather(&mut self) -> Result<Stop, End> {
        let mut position = 0;
        let stopped = loop {
            let rest = self.input.get(position..).unwrap_or_default();
            let (command, used) = match self.decoder.next(rest, &self.admission) {
                Ok(Decoded::Command { command, used }) => (command, used),
                Ok(Decoded::Incomplete { at_least }) => break Ok(Stop::Incomplete(at_least)),
                Err(fatal) => break Err(fatal.into()),
            };
            let single = match command {
                Command::Publish { topic, block } => {
                    let kind = (PublishKind::Pub, 0);
                    if !push(&mut self.pending.publishes, topic, kind, block, 1, rest.len()) {
                        break Ok(Stop::RunEnds);
                    }
                    None
                }
                Command::MultiPublish { topic, count, block } => {
                    let kind = (PublishKind::Mpub, 0);
                    if !push(&mut self.pending.publishes, topic, kind, block, count, rest.len()) {
                        break Ok(Stop::RunEnds);
                    }
                    None
                }
                Command::DeferredPublish { topic, delay_ms, block } => {
                    let kind = (PublishKind::Dpub, delay_ms);
                    if !push(&mut self.pending.publishes, topic, kind, block, 1, rest.len()) {
                        break Ok(Stop::RunEnds);
                    }
                    None
                }
                // Its error must not overtake the OK of what came before it.
                Command::Finish { .. } if self.pending.publishes.is_some() => {
                    break Ok(Stop::RunEnds);
                }
                Command::Finish { id } => {
                    self.pending.finishes.push(id);
                    None
                }
                Command::Nop => None,
                Command::Identify { body } => Some(Single::Identify(body.to_vec())),
                Command::Auth { body } => Some(Single::Auth(Secret(body.to_vec()))),
                Command::AnnouncePublish { topic } => {
                    let now_ns = self.node.clock.now_ns();
                    let known = self.authorized.as_ref();
                    let is_known = known.is_some_and(|known| known.still_permits(topic, now_ns));
                    (!is_known).then(|| Single::AnnouncePublish(topic.clone()))
                }
                Command::Subscribe { topic, channel } => Some(Single::Subscribe(topic, channel)),
                Command::Ready { count } => Some(Single::Ready(count)),
                Command::Requeue { id, delay_ms } => Some(Single::Requeue(id, delay_ms)),
                Command::Touch { id } => Some(Single::Touch(id)),
                Command::Close => Some(Single::Close),
            };
            position += used;
            if let Some(single) = single {
                break Ok(Stop::Single(single));
            }
            if self.pending.finishes.len() >= FINISH_RUN {
                break Ok(Stop::RunEnds);
            }
        };
        if position > 0 {
            self.input.advance(position);
            self.deadlines.on_command(self.node.clock.now_ns());
        }
        stopped
    }

    /// Publishes what was gathered: one append, then an OK for every command.
    async fn publish_all(&mut self) -> Result<(), End> {
        let Some(run) = self.pending.publishes.take() else { return Ok(()) };
        let (kind, commands, messages) = (run.kind, run.commands, run.count());
        let topic_name = run.topic.clone();
        // MPUB was checked before its body was read.
        if self.node.credentials.auth.is_some() && kind != PublishKind::Mpub {
            self.authorize_run(kind.verb(), &topic_name).await?;
        }
        if let Err(error) = self.publish(run).await {
            return Err(End::Error(kind.failed(&error)));
        }
        for _ in 0..commands {
            self.output.extend_from_slice(frame::OK);
        }
        self.client.published.lock().add(&topic_name, u64::from(messages));
        Ok(())
    }

    async fn publish(&mut self, run: PublishRun) -> Result<(), PublishError> {
        let topic = self.node.topic_soon(&run.topic).await?;
        let publication = run.into_publication();
        let permit = self.node.append_permits.acquire().await;
        let end = topic.publish(publication);
        drop(permit);
        let end = end?;
        topic.after_publish(end).await
    }

    /// Applies the FINs that were gathered under one lock.
    fn finish_all(&mut self) {
        let Some(subscribed) = &mut self.subscribed else { return };
        if self.pending.finishes.is_empty() {
            return;
        }
        let mut finished = 0;
        let latencies = subscribed.channel.latencies.as_ref();
        let mut published = Vec::new();
        let mut broker = subscribed.channel.broker.lock();
        for id in self.pending.finishes.drain(..) {
            let place = subscribed.ids.sequence_of(&subscribed.topic, id);
            let result = match place {
                Some(sequence) => broker.finish(subscribed.key, sequence),
                None => Err(Held::NotInFlight),
            };
            match result {
                Ok(published_ns) => {
                    finished += 1;
                    published.extend(latencies.map(|_| published_ns));
                }
                Err(why) => {
                    let error = ProtocolError::fin_failed(id, reason(why));
                    frame::error(&mut self.output, &error);
                }
            }
        }
        drop(broker);
        if let Some(latencies) = latencies {
            latencies.lock().record(self.node.clock.wall_ns(), &published);
        }
        add(&self.client.counters.finished, finished);
        subscribed.topic.touch();
    }

    async fn execute_single(&mut self, single: Single) -> Result<(), End> {
        match single {
            Single::Identify(body) => self.identify(&body).await,
            Single::Auth(secret) => self.authenticate(secret).await,
            Single::AnnouncePublish(topic) => self.authorize(Verb::Mpub, &topic, None).await,
            Single::Subscribe(topic, channel) => self.subscribe(topic, channel).await,
            Single::Ready(count) => {
                if let Some(subscribed) = &self.subscribed {
                    subscribed.channel.broker.lock().ready(subscribed.key, count);
                }
                Ok(())
            }
            Single::Requeue(id, delay_ms) => {
                self.requeue(id, delay_ms);
                Ok(())
            }
            Single::Touch(id) => {
                self.touch(id);
                Ok(())
            }
            Single::Close => {
                if let Some(subscribed) = &self.subscribed {
                    let mut broker = subscribed.channel.broker.lock();
                    broker.ready(subscribed.key, 0);
                    // It may have been next in line.
                    wake(broker.wake_in_line());
                }
                self.change_state(ClientState::Closing);
                self.output.extend_from_slice(frame::CLOSE_WAIT);
                Ok(())
            }
        }
    }

    async fn identify(&mut self, body: &[u8]) -> Result<(), End> {
        let request = IdentifyRequest::parse(body).map_err(End::Error)?;
        let features = self.negotiate(request)?;
        let address = self.client.address;
        let settings = self.client.settings.lock().clone();
        self.node.log.debug(format_args!("[{address}] IDENTIFY: {settings:?}"));
        match features {
            None => Ok(()),
            Some(features) => self.upgrade(features).await,
        }
    }

    /// Answers an IDENTIFY. Returns what the connection has to be upgraded to.
    fn negotiate(&mut self, request: IdentifyRequest) -> Result<Option<Features>, End> {
        let limits = &self.node.identify_limits;
        let mut settings = self.client.settings.lock();
        let first = !settings.is_identified();
        let answer = settings.apply(request, limits).map_err(End::Error)?;
        if first {
            self.deadlines.start_heartbeats(self.node.clock.now_ns(), &settings);
        }
        self.deadlines.follow(&settings);
        self.admission.heartbeats = settings.heartbeat_interval.is_some();
        match answer {
            IdentifyAnswer::Ok => {
                self.output.extend_from_slice(frame::OK);
                Ok(None)
            }
            IdentifyAnswer::Negotiated(features) => {
                let json = settings.response_json(&features, limits, VERSION);
                frame::response(&mut self.output, &json);
                Ok(Some(features))
            }
        }
    }

    /// Joins a channel. Making one writes to the disk, so it is done on a thread that may wait.
    async fn subscribe(&mut self, topic: TopicName, channel: ChannelName) -> Result<(), End> {
        self.authorize(Verb::Sub, &topic, Some(&channel)).await?;
        let (node, client) = (Arc::clone(&self.node), Arc::clone(&self.client));
        let joined = tokio::task::spawn_blocking(move || join(&node, &client, &topic, &channel));
        let exiting = || Err(ProtocolError::sub_failed("exiting"));
        let (topic, channel, key) =
            joined.await.unwrap_or_else(|_| exiting()).map_err(End::Error)?;
        let settings = self.client.settings.lock().clone();
        let asked = settings.output_buffer_size;
        let delivery_bytes = if asked >= DEFAULT_OUTPUT_BUFFER { DELIVERY_BYTES } else { asked };
        let msg_timeout_ns = nanoseconds(settings.delivery().msg_timeout);
        let ids = Ids::of(&topic);
        self.subscribed =
            Some(Subscribed { topic, channel, key, msg_timeout_ns, delivery_bytes, ids });
        self.change_state(ClientState::Subscribed);
        self.output.extend_from_slice(frame::OK);
        Ok(())
    }

    fn requeue(&mut self, id: MessageId, delay_ms: u64) {
        let Some(subscribed) = &mut self.subscribed else { return };
        let limit_ms = self.node.limits.max_req_timeout_ms;
        if delay_ms > limit_ms {
            let address = self.client.address;
            self.node.log.info(format_args!(
                "[{address}] REQ timeout {delay_ms} out of range 0-{limit_ms}. \
                 Setting to {limit_ms}"
            ));
        }
        let delay_ns = delay_ms.min(limit_ms).saturating_mul(1_000_000);
        let delay_ns = i64::try_from(delay_ns).unwrap_or(i64::MAX);
        let place = subscribed.ids.sequence_of(&subscribed.topic, id);
        let due_ns = self.node.clock.now_ns().saturating_add(delay_ns);
        let mut broker = subscribed.channel.broker.lock();
        let requeued = match place {
            None => Err(Held::NotInFlight),
            Some(sequence) if delay_ns == 0 => broker.requeue(subscribed.key, sequence),
            Some(sequence) => {
                broker.requeue_deferred(subscribed.key, sequence, due_ns).map(|()| None)
            }
        };
        drop(broker);
        match requeued {
            Ok(next) => {
                wake(next);
                add(&self.client.counters.requeued, 1);
                if delay_ns > 0 {
                    self.node.sweep.arm(&subscribed.channel, due_ns);
                }
                subscribed.topic.touch();
            }
            Err(why) => {
                let error = ProtocolError::req_failed(id, reason(why));
                frame::error(&mut self.output, &error);
            }
        }
    }

    fn touch(&mut self, id: MessageId) {
        let Some(subscribed) = &mut self.subscribed else { return };
        let now_ns = self.node.clock.now_ns();
        let msg_timeout_ns = nanoseconds(self.client.settings.lock().msg_timeout);
        let place = subscribed.ids.sequence_of(&subscribed.topic, id);
        let touched = place.ok_or(Held::NotInFlight).and_then(|sequence| {
            let mut broker = subscribed.channel.broker.lock();
            broker.touch(subscribed.key, sequence, now_ns, msg_timeout_ns)
        });
        if let Err(why) = touched {
            frame::error(&mut self.output, &ProtocolError::touch_failed(id, reason(why)));
        }
    }

    fn change_state(&mut self, state: ClientState) {
        self.admission.state = state;
        self.client.state.store(state as u8, Ordering::Relaxed);
    }
}

/// Joins a channel. One that is just going, because its last user left, is made anew.
fn join(
    node: &Arc<Node>,
    client: &Arc<Client>,
    topic_name: &TopicName,
    channel_name: &ChannelName,
) -> Result<(Arc<Topic>, Arc<Channel>, ConsumerKey), ProtocolError> {
    let failed = |error: PublishError| ProtocolError::sub_failed(&error.to_string());
    for _ in 0..JOIN_TRIES {
        let topic = node.topic(topic_name).map_err(failed)?;
        let channel = match topic.channel(channel_name) {
            Ok(channel) => channel,
            Err(PublishError::Exiting) => {
                node.await_changes_of_topics();
                continue;
            }
            Err(error) => return Err(failed(error)),
        };
        match topic.join(&channel, client) {
            Ok(key) => return Ok((topic, channel, key)),
            Err(JoinError::Exiting) => {}
            Err(JoinError::TooMany) => {
                let limit = node.options.max_channel_consumers;
                return Err(ProtocolError::too_many_consumers(topic_name, channel_name, limit));
            }
        }
    }
    Err(ProtocolError::sub_failed("exiting"))
}

/// Adds a publish to the run. False when it must wait until the run is done.
fn push(
    run: &mut Option<PublishRun>,
    topic: &TopicName,
    (kind, delay_ms): (PublishKind, u64),
    block: &[u8],
    count: u32,
    input_bytes: usize,
) -> bool {
    if run.as_ref().is_some_and(|run| !run.takes(topic, kind, delay_ms)) {
        return false;
    }
    // What is left of the input is a good guess of what will come together.
    let room = input_bytes.min(super::READ_BYTES_MAX).max(block.len());
    run.get_or_insert_with(|| PublishRun::new(topic.clone(), kind, delay_ms, room))
        .push(block, count);
    true
}

impl Ids {
    fn of(topic: &Topic) -> Self {
        Self { end: topic.backing.end(), epochs: topic.backing.epochs() }
    }

    /// Where the message with this id lies. The log begins a new range of ids with its first
    /// append, and older ranges say nothing about it, so what is not known is looked up once more.
    fn sequence_of(&mut self, topic: &Topic, id: MessageId) -> Option<Sequence> {
        let guid = id.guid()?;
        if let Some(known) = self.epochs.sequence_of(guid).filter(|&known| known < self.end) {
            return Some(known);
        }
        *self = Self::of(topic);
        self.epochs.sequence_of(guid)
    }
}

fn reason(why: Held) -> NotHeld {
    match why {
        Held::NotInFlight => NotHeld::NotInFlight,
        Held::NotOwner => NotHeld::NotOwner,
    }
}
