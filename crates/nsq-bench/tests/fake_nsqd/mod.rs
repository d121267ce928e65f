//! `FakeNsqd`: just enough of a daemon to be measured, with faults on demand.

mod http;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// What the fake does wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Answer the publish command with this number (from 1) with an error.
    pub(crate) refuse_publish: Option<u64>,
    /// Put every message with a number divisible by this into its channels twice.
    pub(crate) repeat_every: Option<u64>,
    /// Forget every message with a number divisible by this.
    pub(crate) forget_every: Option<u64>,
    /// Answer the FIN with this number (from 1) as if it came too late.
    pub(crate) refuse_finish: Option<u64>,
    /// Answer the pausing of topics with an error.
    pub(crate) refuse_pause: bool,
    /// Have no `/metrics`, as Go NSQ.
    pub(crate) no_metrics: bool,
}

/// What clients did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) identified: Vec<String>,
    pub(crate) publishes: u64,
    pub(crate) messages: u64,
    pub(crate) deferred: Vec<String>,
    pub(crate) finished: u64,
    pub(crate) nops: u64,
    pub(crate) ready_counts: Vec<u64>,
    /// HTTP requests by method and path, without what follows a `?`.
    pub(crate) requests: BTreeMap<String, u64>,
    /// Connections that began with an HTTP request.
    pub(crate) http_connections: u64,
}

/// A listening fake, for the protocol and HTTP at one address; its threads end with their
/// connections.
pub(crate) struct FakeNsqd {
    address: SocketAddr,
    world: Arc<World>,
}

struct World {
    faults: Faults,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    seen: Seen,
    /// Waiting bodies of each topic's channels.
    topics: HashMap<String, HashMap<String, VecDeque<Vec<u8>>>>,
    next_id: u64,
}

/// The subscription of a connection, shared by its reader and its pump.
#[derive(Default)]
struct Subscription {
    ready_count: u64,
    in_flight: u64,
    closing: bool,
}

impl FakeNsqd {
    pub(crate) fn start(faults: Faults) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Mutex::new(State::default());
        let world = Arc::new(World { faults, state, changed: Condvar::new() });
        let accepting = Arc::clone(&world);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let world = Arc::clone(&accepting);
                thread::spawn(move || serve(stream.unwrap(), &world));
            }
        });
        Self { address, world }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn seen(&self) -> Seen {
        self.world.lock().seen.clone()
    }
}

impl World {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts the bodies of one command into all channels, unless it is to be refused.
    fn accepts(&self, topic: &str, bodies: Vec<Vec<u8>>) -> bool {
        let faults = self.faults;
        let mut state = self.lock();
        state.seen.publishes += 1;
        if faults.refuse_publish == Some(state.seen.publishes) {
            return false;
        }
        for body in bodies {
            state.seen.messages += 1;
            let number = state.seen.messages;
            let is_hit =
                |every: Option<u64>| every.is_some_and(|every| number.is_multiple_of(every));
            let copies = match (is_hit(faults.forget_every), is_hit(faults.repeat_every)) {
                (true, _) => 0,
                (false, true) => 2,
                (false, false) => 1,
            };
            let channels = state.topics.entry(topic.to_owned()).or_default();
            if channels.is_empty() {
                channels.insert(String::new(), VecDeque::new());
            }
            for queue in channels.values_mut() {
                queue.extend(std::iter::repeat_n(body.clone(), copies));
            }
        }
        drop(state);
        self.changed.notify_all();
        true
    }
}

/// Serves a connection to its end; how it ends is the client's business.
fn serve(stream: TcpStream, world: &Arc<World>) {
    stream.set_nodelay(true).unwrap();
    let mut connection = FakeConnection {
        writer: Arc::new(Mutex::new(stream.try_clone().unwrap())),
        subscription: Arc::default(),
        world: Arc::clone(world),
    };
    let ended = connection.serve(&mut BufReader::new(stream));
    connection.subscription.lock().unwrap().closing = true;
    world.changed.notify_all();
    drop(ended);
}

struct FakeConnection {
    writer: Arc<Mutex<TcpStream>>,
    subscription: Arc<Mutex<Subscription>>,
    world: Arc<World>,
}

impl FakeConnection {
    fn serve(&mut self, reader: &mut BufReader<TcpStream>) -> io::Result<()> {
        let mut magic = [0; 4];
        reader.read_exact(&mut magic)?;
        if &magic != b"  V2" {
            return http::serve(&self.world, &mut self.writer.lock().unwrap(), &magic, reader);
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.strip_suffix('\n').unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["IDENTIFY"] => {
                    let json = String::from_utf8(read_sized(reader)?).unwrap();
                    self.world.lock().seen.identified.push(json);
                    // Every client meets a heartbeat, here and after SUB.
                    self.send(0, b"_heartbeat_")?;
                    self.send(0, b"OK")?;
                }
                ["SUB", topic, channel] => self.subscribe(topic, channel)?,
                ["RDY", count] => {
                    let count = count.parse().unwrap();
                    self.world.lock().seen.ready_counts.push(count);
                    self.subscription.lock().unwrap().ready_count = count;
                    self.wake();
                }
                ["FIN", id] => self.finish(id)?,
                ["CLS"] => {
                    self.subscription.lock().unwrap().closing = true;
                    self.wake();
                    self.send(0, b"CLOSE_WAIT")?;
                }
                ["NOP"] => self.world.lock().seen.nops += 1,
                ["PUB", topic] => {
                    let body = read_sized(reader)?;
                    self.publish(topic, vec![body])?;
                }
                ["DPUB", topic, defer_ms] => {
                    let body = read_sized(reader)?;
                    self.world.lock().seen.deferred.push(defer_ms.to_owned());
                    self.publish(topic, vec![body])?;
                }
                ["MPUB", topic] => {
                    let bodies = read_batch(reader)?;
                    self.publish(topic, bodies)?;
                }
                _ => panic!("unexpected command {line:?}"),
            }
        }
    }

    fn subscribe(&self, topic: &str, channel: &str) -> io::Result<()> {
        let (topic, channel) = (topic.to_owned(), channel.to_owned());
        let mut state = self.world.lock();
        let channels = state.topics.entry(topic.clone()).or_default();
        // The first channel takes over what waits in the topic, kept under the empty name.
        let waiting = channels.remove("").unwrap_or_default();
        channels.entry(channel.clone()).or_default().extend(waiting);
        drop(state);
        self.send(0, b"OK")?;
        self.send(0, b"_heartbeat_")?;
        let (writer, subscription) = (Arc::clone(&self.writer), Arc::clone(&self.subscription));
        let world = Arc::clone(&self.world);
        thread::spawn(move || pump(&world, &writer, &subscription, &topic, &channel));
        Ok(())
    }

    fn publish(&self, topic: &str, bodies: Vec<Vec<u8>>) -> io::Result<()> {
        if self.world.accepts(topic, bodies) {
            return self.send(0, b"OK");
        }
        self.send(1, b"E_PUB_FAILED PUB failed exiting")?;
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn finish(&self, id: &str) -> io::Result<()> {
        assert_eq!(id.len(), 16);
        let mut state = self.world.lock();
        state.seen.finished += 1;
        let is_refused = self.world.faults.refuse_finish == Some(state.seen.finished);
        drop(state);
        if is_refused {
            let text = format!("E_FIN_FAILED FIN {id} failed ID not in flight");
            self.send(1, text.as_bytes())?;
        }
        self.subscription.lock().unwrap().in_flight -= 1;
        self.wake();
        Ok(())
    }

    fn send(&self, kind: u32, data: &[u8]) -> io::Result<()> {
        self.writer.lock().unwrap().write_all(&frame(kind, data))
    }

    /// Taking the lock first makes sure that no pump is between looking and waiting.
    fn wake(&self) {
        drop(self.world.lock());
        self.world.changed.notify_all();
    }
}

/// Delivers messages of a channel to one consumer until it closes.
fn pump(
    world: &World,
    writer: &Mutex<TcpStream>,
    subscription: &Mutex<Subscription>,
    topic: &str,
    channel: &str,
) {
    loop {
        let mut state = world.lock();
        let data = loop {
            let mut subscription = subscription.lock().unwrap();
            if subscription.closing {
                return;
            }
            let queue = state.topics.get_mut(topic).unwrap().get_mut(channel).unwrap();
            if subscription.in_flight < subscription.ready_count
                && let Some(body) = queue.pop_front()
            {
                subscription.in_flight += 1;
                state.next_id += 1;
                break message(state.next_id, &body);
            }
            drop(subscription);
            state = world.changed.wait(state).unwrap();
        };
        drop(state);
        if writer.lock().unwrap().write_all(&frame(2, &data)).is_err() {
            return;
        }
    }
}

fn message(id: u64, body: &[u8]) -> Vec<u8> {
    let mut data = vec![0x18, 0xea, 0x72, 0x89, 0x7c, 0x96, 0xbb, 0xe8, 0x00, 0x01];
    data.extend_from_slice(format!("{id:016x}").as_bytes());
    data.extend_from_slice(body);
    data
}

fn frame(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut frame = (u32::try_from(data.len()).unwrap() + 4).to_be_bytes().to_vec();
    frame.extend_from_slice(&kind.to_be_bytes());
    frame.extend_from_slice(data);
    frame
}

fn read_u32(reader: &mut impl Read) -> io::Result<usize> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes) as usize)
}

fn read_sized(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut body = vec![0; read_u32(reader)?];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn read_batch(reader: &mut impl Read) -> io::Result<Vec<Vec<u8>>> {
    let size = read_u32(reader)?;
    let count = read_u32(reader)?;
    let bodies = (0..count).map(|_| read_sized(reader)).collect::<io::Result<Vec<_>>>()?;
    let expected: usize = bodies.iter().map(|body| body.len() + 4).sum();
    assert_eq!(size, expected + 4, "declared MPUB size");
    Ok(bodies)
}
