//! Clients that mean no good: what reaches an open port sooner or later.
//!
//! Each kind of attack has a thread of its own, which repeats its attack until it is told to stop
//! or has done its share. What becomes of a connection is of no interest here: the daemon may
//! answer, close or ignore it, as long as it serves the others.

mod over_http;
mod over_tcp;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::command;
use crate::seed::Seed;
use crate::traffic::Addresses;

/// How often an attack is repeated at most.
const ROUNDS_MAX: usize = 200;
/// What slow clients wait for between two bytes, and others before they go on.
const MOMENT: Duration = Duration::from_millis(5);
/// How long a connection is held that only takes up room.
const WHILE: Duration = Duration::from_millis(300);

/// A kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// Commands that come byte by byte.
    SlowCommands,
    /// Heads and bodies of requests that come byte by byte, and chunks without end.
    SlowRequests,
    /// The beginning of a command, then silence or the end.
    HalfCommands,
    /// Sizes and counts that are negative or huge.
    Lengths,
    /// Connections that are opened and dropped, or held without a word.
    Flood,
    /// The same for HTTP, some with half a request.
    RequestFlood,
    /// Consumers that are ready for a lot and never read.
    DeafConsumers,
    /// Clients that call themselves by very long names.
    LongDescriptions,
    /// Consumers that finish nothing, on the channel of others too.
    Hoarders,
    /// Publishers that never read an answer.
    DeafPublishers,
    /// Random bytes.
    Garbage,
    /// Commands that are not allowed, many in one write.
    InvalidCommands,
    /// Requests whose end is open to interpretation.
    Smuggling,
    /// Heads of a mebibyte and more.
    LargeHeads,
    /// Names of topics and channels that are no names.
    Names,
    /// Ephemeral channels by the hundred, each gone with its consumer.
    EphemeralChannels,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::SlowCommands,
        Self::SlowRequests,
        Self::HalfCommands,
        Self::Lengths,
        Self::Flood,
        Self::RequestFlood,
        Self::DeafConsumers,
        Self::LongDescriptions,
        Self::Hoarders,
        Self::DeafPublishers,
        Self::Garbage,
        Self::InvalidCommands,
        Self::Smuggling,
        Self::LargeHeads,
        Self::Names,
        Self::EphemeralChannels,
    ];

    fn repeat(self, victim: &mut Victim, stop: &AtomicBool, rounds: &AtomicUsize) {
        while !stop.load(Ordering::Relaxed) && rounds.load(Ordering::Relaxed) < ROUNDS_MAX {
            // The daemon defends itself: that is no failure.
            if self.run(victim).is_err() {
                std::thread::sleep(MOMENT);
            }
            rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn run(self, victim: &mut Victim) -> io::Result<()> {
        match self {
            Self::SlowCommands => over_tcp::slow_commands(victim),
            Self::SlowRequests => over_http::slow_requests(victim),
            Self::HalfCommands => over_tcp::half_commands(victim),
            Self::Lengths => over_tcp::lengths(victim),
            Self::Flood => over_tcp::flood(victim),
            Self::RequestFlood => over_http::flood(victim),
            Self::DeafConsumers => over_tcp::deaf_consumers(victim),
            Self::LongDescriptions => over_tcp::long_descriptions(victim),
            Self::Hoarders => over_tcp::hoarders(victim),
            Self::DeafPublishers => over_tcp::deaf_publishers(victim),
            Self::Garbage => over_tcp::garbage(victim),
            Self::InvalidCommands => over_tcp::invalid_commands(victim),
            Self::Smuggling => over_http::smuggling(victim),
            Self::LargeHeads => over_http::large_heads(victim),
            Self::Names => over_http::names(victim).and_then(|()| over_tcp::names(victim)),
            Self::EphemeralChannels => over_tcp::ephemeral_channels(victim),
        }
    }
}

/// Whom an attack is for.
#[derive(Debug)]
struct Victim {
    addresses: Addresses,
    /// A topic and channel that others use.
    topic: String,
    channel: String,
    seed: Seed,
}

/// Attacks that go on until they are told to stop.
#[derive(Debug)]
pub struct Hostility {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    rounds: Vec<(Attack, Arc<AtomicUsize>)>,
}

impl Hostility {
    /// Begins these attacks on a daemon, on one of whose channels others live in peace.
    pub fn begin(addresses: Addresses, attacks: &[Attack], topic: &str, channel: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut hostility = Self { stop, threads: Vec::new(), rounds: Vec::new() };
        for (attack, number) in attacks.iter().copied().zip(1..) {
            let (topic, channel) = (topic.to_owned(), channel.to_owned());
            let mut victim = Victim { addresses, topic, channel, seed: Seed(number) };
            let (stop, rounds) = (Arc::clone(&hostility.stop), Arc::new(AtomicUsize::new(0)));
            hostility.rounds.push((attack, Arc::clone(&rounds)));
            let repeat = move || attack.repeat(&mut victim, &stop, &rounds);
            hostility.threads.push(std::thread::spawn(repeat));
        }
        hostility
    }

    /// How often each attack was repeated.
    pub fn rounds(&self) -> Vec<(Attack, usize)> {
        self.rounds
            .iter()
            .map(|(attack, rounds)| (*attack, rounds.load(Ordering::Relaxed)))
            .collect()
    }

    /// Ends the attacks and closes all their connections.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("an attacker did not panic");
        }
    }
}

/// Connects, and never waits long to write.
fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WHILE))?;
    Ok(stream)
}

/// Connects and says all of it.
fn say(address: SocketAddr, bytes: &[u8]) -> io::Result<TcpStream> {
    let mut stream = connect(address)?;
    stream.write_all(bytes)?;
    Ok(stream)
}

/// A client that has identified with these settings and says more.
fn identified(address: SocketAddr, settings: &str, more: &[u8]) -> io::Result<TcpStream> {
    let mut bytes = command::MAGIC.to_vec();
    bytes.extend(command::identify(settings));
    bytes.extend(more);
    say(address, &bytes)
}

/// Reads what comes within `time`; true when the connection is still open behind it.
fn listen(stream: &mut TcpStream, time: Duration) -> io::Result<bool> {
    stream.set_read_timeout(Some(time))?;
    let mut bytes = [0; 16 << 10];
    match stream.read(&mut bytes) {
        Ok(0) => Ok(false),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

/// Feeds every connection its bytes, one at a time, until all is said or nobody listens.
fn drip(mut clients: Vec<(TcpStream, Vec<u8>)>) -> io::Result<()> {
    let longest = clients.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or(0);
    for position in 0..longest {
        clients.retain_mut(|(stream, bytes)| {
            bytes.get(position..=position).is_none_or(|byte| stream.write_all(byte).is_ok())
        });
        let Some((stream, _)) = clients.first_mut() else { break };
        if !listen(stream, MOMENT)? {
            clients.remove(0);
        }
    }
    Ok(())
}
