//! The task of one TCP connection: it moves the bytes and has no opinions.
//!
//! One loop reads, does what it read, hands out messages, writes, and waits when nothing is left
//! to do. Nothing is held back: what was encoded is written before the task waits, so batching
//! comes from load and not from timers.

mod auth;
mod commands;
mod deadlines;
mod upgrade;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use nsq_app::flags::TlsRequired;
use nsq_broker::Delivery;
use nsq_net::Stream;
use nsq_proto::{Admission, ClientState, Decoder, Fatal, ProtocolError, frame, magic};

use self::auth::Authorized;
use self::commands::Subscribed;
use self::deadlines::Deadlines;
use crate::channel::{Pulled, wake};
use crate::client::{Client, add};
use crate::node::Node;
use crate::pending::Pending;
use crate::signal::Woken;

/// The first read of a connection; it grows as long as reads fill it.
const READ_BYTES_MIN: usize = 1 << 10;
const READ_BYTES_MAX: usize = 256 << 10;
/// A buffer up to this size is not kept while the connection waits.
const CHEAP_BYTES: usize = 4 << 10;
/// A connection is not read while more than this waits to be written to it.
const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// What is handed out between two writes, unless the client wants less.
const DELIVERY_BYTES: usize = 64 << 10;
/// How many turns of the other tasks a consumer that was woken waits for at most.
const GATHER_TURNS: usize = 16;
/// Go NSQ's default output buffer; a client that has it has not asked for less.
const DEFAULT_OUTPUT_BUFFER: usize = 16 << 10;
/// How long a client that was sent an error may take to close.
const LINGER: Duration = Duration::from_secs(1);
/// How much more it may send meanwhile.
const LINGER_BYTES: usize = 16 << 20;

/// Why a conversation ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Close without a word.
    Silent,
    /// Answer with this error, then close.
    Error(ProtocolError),
    /// The connection failed.
    Io(io::Error),
}

impl From<Fatal> for End {
    fn from(fatal: Fatal) -> Self {
        match fatal {
            Fatal::Silent => Self::Silent,
            Fatal::Answer(error) => Self::Error(error),
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a connection was woken by.
#[derive(Clone, Copy, Debug, Default)]
struct Event {
    readable: bool,
    writable: bool,
    timer: bool,
    woken: Woken,
}

impl Event {
    /// Both: a signal is seen only once and must not be lost between two looks.
    fn and(self, later: Self) -> Self {
        Self {
            readable: self.readable || later.readable,
            writable: self.writable || later.writable,
            timer: self.timer || later.timer,
            woken: self.woken.and(later.woken),
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Driver {
    node: Arc<Node>,
    client: Arc<Client>,
    stream: Stream,
    decoder: Decoder,
    input: BytesMut,
    output: BytesMut,
    pending: Pending,
    read_bytes: usize,
    admission: Admission,
    /// Boxed, because most connections have none.
    authorized: Option<Box<Authorized>>,
    subscribed: Option<Subscribed>,
    deadlines: Deadlines,
    deliveries: Vec<Delivery>,
}

impl Driver {
    pub(crate) fn new(node: Arc<Node>, client: Arc<Client>, stream: Stream) -> Self {
        let now_ns = node.clock.now_ns();
        let settings = client.settings.lock().clone();
        let tls_required_unmet = node.tls_required() != TlsRequired::No;
        let announces_batches = node.credentials.auth.is_some();
        let admission = Admission { tls_required_unmet, announces_batches, ..Admission::default() };
        Self {
            decoder: Decoder::new(node.limits),
            deadlines: Deadlines::new(now_ns, &settings),
            node,
            client,
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            pending: Pending::default(),
            read_bytes: READ_BYTES_MIN,
            admission,
            authorized: None,
            subscribed: None,
            deliveries: Vec::new(),
        }
    }

    /// Serves the connection until it ends.
    pub(crate) async fn run(mut self) {
        let end = match self.greet().await {
            Ok(()) => self.converse().await,
            Err(end) => end,
        };
        self.leave();
        let address = self.client.address;
        match end {
            End::Silent => {}
            End::Io(error) => {
                self.node.log.debug(format_args!("client({address}) {error}"));
            }
            End::Error(error) => {
                self.node.log.error(format_args!("[{address}] - {error}"));
                self.say_goodbye(&error).await;
            }
        }
    }

    /// Waits for the magic.
    async fn greet(&mut self) -> Result<(), End> {
        loop {
            match magic::read(&self.input) {
                magic::Magic::V2 => {
                    self.input.advance(magic::MAGIC.len());
                    self.client.has_greeted.store(true, Ordering::Relaxed);
                    let settings = self.client.settings.lock();
                    let now_ns = self.node.clock.now_ns();
                    self.deadlines = Deadlines::new(now_ns, &settings);
                    return Ok(());
                }
                magic::Magic::Unknown => return Err(End::Error(ProtocolError::bad_protocol())),
                magic::Magic::Incomplete => {}
            }
            let event = self.wait(false).await?;
            let now_ns = self.node.clock.now_ns();
            if event.timer {
                self.deadlines.heartbeat_due(now_ns);
            }
            if event.woken.close || self.deadlines.is_silent(now_ns) {
                return Err(End::Silent);
            }
            if event.readable && self.read(1).await? == Some(0) {
                return Err(End::Silent);
            }
        }
    }

    async fn converse(&mut self) -> End {
        match self.serve().await {
            Ok(()) => End::Silent,
            Err(end) => end,
        }
    }

    async fn serve(&mut self) -> Result<(), End> {
        // The magic may have come with commands behind it.
        let mut more = !self.input.is_empty();
        let mut at_least = 1;
        loop {
            if !more {
                self.release_buffers();
            }
            let mut event = self.wait(more).await?;
            if event.woken.messages {
                event = event.and(self.let_publishers_go_first().await?);
            }
            if event.woken.close {
                return Ok(());
            }
            let mut eof = false;
            if event.readable {
                eof = match self.read(at_least).await {
                    // TLS or compression cannot be read on; what came before counts.
                    Err(End::Io(error)) if is_end_of_layer(&error) => true,
                    read => read? == Some(0),
                };
            }
            if !self.input.is_empty() {
                at_least = self.execute().await?;
            }
            if eof {
                return self.interrupted();
            }
            let held_back = self.output.len() >= DELIVERY_BYTES;
            more = self.deliver(held_back, event.woken.messages);
            if event.timer {
                self.on_timer()?;
            }
            self.write().await?;
            if event.timer && self.deadlines.is_quiet(self.node.clock.now_ns()) {
                self.release_all_buffers();
            }
            // The client has taken what kept it from getting more.
            more |= held_back && self.output.len() < DELIVERY_BYTES;
        }
    }

    /// The input ended: nsqd complains about half a command, but not about half a line.
    fn interrupted(&self) -> Result<(), End> {
        self.decoder.interrupted().map_or(Ok(()), |error| Err(End::Error(error)))
    }

    /// Takes messages for the client and encodes them. True when there may be more.
    ///
    /// What is not written yet counts as a buffer's worth: a slow reader is `held_back`. If it was
    /// `woken` for a message all the same, somebody else must get the word.
    fn deliver(&mut self, held_back: bool, woken: bool) -> bool {
        let Some(subscribed) = &self.subscribed else { return false };
        if self.admission.state != ClientState::Subscribed || held_back {
            if woken {
                wake(subscribed.channel.broker.lock().decline(subscribed.key));
            }
            return false;
        }
        let now_ns = self.node.clock.now_ns();
        let bytes = subscribed.delivery_bytes;
        let pulled = subscribed.channel.pull(subscribed.key, now_ns, bytes, &mut self.deliveries);
        let mut count = 0;
        for delivery in self.deliveries.drain(..) {
            count += encode(&mut self.output, &delivery);
        }
        if count > 0 {
            add(&self.client.counters.delivered, count);
            let deadline_ns = now_ns.saturating_add(subscribed.msg_timeout_ns);
            self.node.sweep.arm(&subscribed.channel, deadline_ns);
            subscribed.topic.touch();
        }
        pulled == Pulled::Some
    }

    /// Reads once; grows what the next read takes when this one was filled. `None` when there was
    /// nothing after all.
    async fn read(&mut self, at_least: usize) -> Result<Option<usize>, End> {
        let missing = at_least.saturating_sub(self.input.len());
        // A length field is no reason to believe that so much will come: room grows with what
        // has come already.
        let room = missing.min(self.input.len().max(READ_BYTES_MIN)).max(self.read_bytes);
        self.input.reserve(room);
        let (stream, input) = (&mut self.stream, &mut self.input);
        let free = input.capacity() - input.len();
        let read = poll_fn(|context| Poll::Ready(stream.poll_read(context, input))).await;
        let Poll::Ready(read) = read else { return Ok(None) };
        let count = read?;
        if count == free {
            self.read_bytes = (2 * self.read_bytes).min(READ_BYTES_MAX);
        }
        Ok(Some(count))
    }

    /// Writes what the client takes.
    async fn write(&mut self) -> Result<(), End> {
        while !self.output.is_empty() {
            let (stream, output) = (&mut self.stream, &mut self.output);
            let wrote = poll_fn(|context| Poll::Ready(stream.poll_write(context, output))).await;
            let Poll::Ready(wrote) = wrote else { break };
            let count = wrote?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            self.output.advance(count);
            self.deadlines.on_write();
        }
        if self.output.is_empty() && self.flush().await? {
            self.output.clear();
            self.deadlines.on_drained();
        } else if self.deadlines.on_stuck(self.node.clock.now_ns()) {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        Ok(())
    }

    /// Gives the client what TLS or compression have kept back. False when it does not take it all
    /// now.
    async fn flush(&mut self) -> Result<bool, End> {
        if !self.stream.wants_flush() {
            return Ok(true);
        }
        let stream = &mut self.stream;
        match poll_fn(|context| Poll::Ready(stream.poll_flush(context))).await {
            Poll::Ready(flushed) => Ok(flushed.map(|()| true)?),
            Poll::Pending => Ok(false),
        }
    }

    /// Waits until there is something to do; with `more`, lets others run and then only looks.
    async fn wait(&mut self, more: bool) -> Result<Event, End> {
        if more {
            tokio::task::yield_now().await;
        }
        let may_read = self.output.len() < OUTPUT_BYTES_MAX;
        let must_write = !self.output.is_empty() || self.stream.wants_flush();
        let Self { stream, client, deadlines, node, .. } = self;
        let mut timer = deadlines.timer(&node.clock);
        let event = poll_fn(|context| {
            let mut event = Event::default();
            if let Poll::Ready(woken) = client.signal.poll(context) {
                event.woken = woken;
            }
            if may_read {
                event.readable = stream.poll_readable(context).is_ready();
            }
            if must_write {
                event.writable = stream.poll_writable(context).is_ready();
            }
            event.timer = timer.as_mut().poll(context).is_ready();
            let Event { readable, writable, timer, woken } = event;
            let happened = readable || writable || timer || woken != Woken::default();
            if happened || more { Poll::Ready(event) } else { Poll::Pending }
        });
        Ok(event.await)
    }

    /// Lets other tasks run as long as they bring more to deliver: then one pull, one write and one
    /// read of the client serve many messages. Where little is going on this is one short turn.
    async fn let_publishers_go_first(&mut self) -> Result<Event, End> {
        let mut event = Event::default();
        let mut brought = 0;
        for _ in 0..GATHER_TURNS {
            let published = self.published_bytes();
            event = event.and(self.wait(true).await?);
            let more = self.published_bytes() - published;
            brought += more;
            if more == 0 || brought >= DELIVERY_BYTES as u64 {
                break;
            }
        }
        Ok(event)
    }

    /// How much was published to the client's topic so far.
    fn published_bytes(&self) -> u64 {
        let topic = self.subscribed.as_ref().map(|subscribed| &subscribed.topic);
        topic.map_or(0, |topic| topic.counters.bytes.load(Ordering::Relaxed))
    }

    /// Gives back buffers that a waiting connection need not own.
    fn release_buffers(&mut self) {
        if self.input.is_empty() && self.input.capacity() <= CHEAP_BYTES {
            self.input = BytesMut::new();
        }
        if self.output.is_empty() && self.output.capacity() <= CHEAP_BYTES {
            self.output = BytesMut::new();
        }
    }

    /// The same, large ones too: nothing has happened for a while.
    fn release_all_buffers(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
            self.read_bytes = READ_BYTES_MIN;
        }
        if self.output.is_empty() {
            self.output = BytesMut::new();
        }
        self.stream.release();
        self.pending.finishes.shrink_to_fit();
        self.deliveries.shrink_to_fit();
    }

    fn on_timer(&mut self) -> Result<(), End> {
        let now_ns = self.node.clock.now_ns();
        if self.deadlines.heartbeat_due(now_ns) {
            self.output.extend_from_slice(frame::HEARTBEAT);
        }
        if self.deadlines.is_silent(now_ns) {
            self.interrupted()?;
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        Ok(())
    }

    /// Sends the last frame, and reads on for a moment so that the kernel does not answer what is
    /// still coming with a reset that would destroy it. When others need the place, that is all.
    async fn say_goodbye(&mut self, error: &ProtocolError) {
        frame::error(&mut self.output, error);
        let client = Arc::clone(&self.client);
        let must_close = poll_fn(|context| match client.signal.poll(context) {
            Poll::Ready(Woken { close: true, .. }) => Poll::Ready(()),
            // What the channel has is nothing to this client any more.
            Poll::Ready(_) | Poll::Pending => Poll::Pending,
        });
        let farewell = tokio::time::timeout(LINGER, async {
            self.stream.write_all(&self.output).await?;
            let stream = &mut self.stream;
            poll_fn(|context| stream.poll_shutdown(context)).await?;
            let mut total = 0;
            while total < LINGER_BYTES {
                self.input.clear();
                self.input.reserve(READ_BYTES_MIN);
                let (stream, input) = (&mut self.stream, &mut self.input);
                match poll_fn(|context| stream.poll_read(context, input)).await? {
                    0 => break,
                    count => total += count,
                }
            }
            io::Result::Ok(())
        });
        tokio::select! {
            () = must_close => {}
            // The connection ends here in any case.
            _ = farewell => {}
        }
    }

    /// Leaves the channel: what was in flight is queued again at once.
    fn leave(&mut self) {
        if let Some(subscribed) = self.subscribed.take() {
            subscribed.channel.leave(subscribed.key);
            subscribed.topic.touch();
            if subscribed.channel.name.is_ephemeral() {
                let Subscribed { topic, channel, .. } = subscribed;
                // The registry may be held by somebody who waits for the disk.
                tokio::task::spawn_blocking(move || topic.delete_if_unused(&channel));
            }
        }
        self.client.state.store(ClientState::Closing as u8, Ordering::Relaxed);
    }
}

impl Drop for Driver {
    /// Also when the task was ended or has met a defect.
    fn drop(&mut self) {
        self.leave();
    }
}

/// Whether it is not the connection that broke, but what was agreed to be put around its bytes.
fn is_end_of_layer(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// Encodes a run of messages; returns how many.
fn encode(output: &mut BytesMut, delivery: &Delivery) -> u64 {
    let Delivery { batch, offset, first, count, attempts } = delivery;
    let guid = batch.guid(*first);
    let body = batch.body.get(*offset..).unwrap_or_default();
    let bodies = nsq_proto::Bodies::new(body).take(*count as usize);
    let mut encoded = 0;
    for body in bodies {
        output.reserve(frame::message_frame_size(body.len()));
        frame::message(output, guid.advance(encoded), batch.timestamp_ns, *attempts, body);
        encoded += 1;
    }
    encoded
}
