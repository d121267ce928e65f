//! Starting and stopping one nsqlookupd.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nsq_app::http::{Router, serve};
use nsq_app::{Aside, Clock, Logger, Reload, Shutdown, nanoseconds};
use nsq_net::{Door, Incoming, Listener, Peer, Socket};
use rustix::net::sockopt;
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::crowd::{Crowd, Presence};
use crate::daemon::{Daemon, VERSION};
use crate::doors::Doors;
use crate::http;
use crate::nodes_page::NodesPage;
use crate::options::Options;
use crate::poll::Waiters;
use crate::registry::{ConnectionId, Lifetimes, SharedRegistry};

/// Files of the runtime, the listeners and the rest.
const OTHER_FILES: u64 = 64;
/// The fewest connections of each kind, even where that is more than there are files.
const CONNECTIONS_MIN: u64 = 16;
/// More connections of one kind than this are not wanted at once.
const CONNECTIONS_MAX: u64 = 65_536;
/// After how long a silence, and how often then, the system asks whether a peer is still there; as
/// Go does.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long to wait when the system cannot take another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long connections may take to end when the daemon stops.
const GRACE: Duration = Duration::from_secs(5);
/// How long between two lines in the log about connections that were one too many.
const REFUSALS_PAUSE: Duration = Duration::from_secs(1);

/// An nsqlookupd that listens and does not serve yet.
#[derive(Debug)]
pub struct Server {
    options: Options,
    log: Logger,
    tcp: Listener,
    http: Listener,
    doors: Doors,
}

impl Server {
    /// Binds the addresses.
    ///
    /// # Errors
    ///
    /// With the sentence for the operator.
    pub async fn start(options: Options, log: Logger) -> anyhow::Result<Self> {
        let instantiate = |error| anyhow::anyhow!("failed to instantiate nsqlookupd - {error}");
        log.info(format_args!("{}", nsq_app::version::line("nsqlookupd")));
        let doors = Doors::load(&options)
            .map_err(|error| anyhow::anyhow!("failed to instantiate nsqlookupd - {error}"))?;
        if let Some(warning) = options.tls().warning() {
            log.warning(format_args!("{warning}"));
        }
        let tcp = Listener::bind(&options.tcp_address).await.map_err(instantiate)?;
        let http = Listener::bind(&options.http_address).await.map_err(instantiate)?;
        Ok(Self { options, log, tcp, http, doors })
    }

    /// Certificates and tokens are read again at every SIGHUP.
    pub(crate) fn renew_with(&self, reload: &mut Reload<Options>) {
        self.doors.renew_with(reload);
    }

    /// The address for nsqd, with the port that was really bound, or the path of the unix socket.
    #[must_use]
    pub fn tcp_address(&self) -> String {
        self.tcp.address()
    }

    /// The address for HTTP clients, likewise.
    #[must_use]
    pub fn http_address(&self) -> String {
        self.http.address()
    }

    /// Serves until `shutdown` begins, then closes the listeners and all connections.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let identity = nsq_api::to_json(&nsq_api::LookupIdentity {
            broadcast_address: self.options.broadcast_address.clone(),
            hostname: nsq_app::host::name(),
            http_port: self.http.port().unwrap_or_default(),
            tcp_port: self.tcp.port().unwrap_or_default(),
            version: VERSION.to_owned(),
        })?;
        let most = connections_max(nsq_app::host::max_open_files());
        let lifetimes = Lifetimes {
            inactive_ns: nanoseconds(self.options.inactive_producer_timeout),
            tombstone_ns: nanoseconds(self.options.tombstone_lifetime),
        };
        let daemon = Arc::new(Daemon {
            registry: SharedRegistry::new(lifetimes),
            clock: Clock::start(),
            log: self.log,
            shutdown: shutdown.clone(),
            identity,
            tcp: Arc::default(),
            http: Arc::default(),
            waiters: Waiters::new(most / 2),
            aside: Aside::start("lists")?,
            nodes_page: NodesPage::default(),
        });
        let router = Router::new(Arc::clone(&daemon), daemon.log.clone(), http::routes());
        let router = router.metered(Arc::clone(&daemon.http));
        let router = Arc::new(router.guarded(self.doors.tokens.clone()));
        let serving_http = tokio::spawn(serve(
            "HTTP",
            (self.http, self.doors.http()),
            router,
            shutdown.clone(),
            most,
        ));
        let crowd = Crowd::new(most, self.options.inactive_producer_timeout);
        serve_tcp(&daemon, (self.tcp, self.doors.tcp()), most, crowd).await;
        serving_http.await??;
        Ok(())
    }
}

/// How many connections of each kind fit the limit on open files.
fn connections_max(open_files: u64) -> usize {
    let share = open_files.saturating_sub(OTHER_FILES) / 2;
    share.clamp(CONNECTIONS_MIN, CONNECTIONS_MAX) as usize
}

/// Accepts connections until the daemon stops, then closes them all.
async fn serve_tcp(
    daemon: &Arc<Daemon>,
    (listener, door): (Listener, Door),
    most: usize,
    mut crowd: Crowd,
) {
    let log = &daemon.log;
    let address = listener.address();
    log.info(format_args!("TCP: listening on {address}"));
    let mut connections = JoinSet::new();
    let mut refusals = Refusals::default();
    let mut number = 0;
    loop {
        tokio::select! {
            biased;
            () = daemon.shutdown.wait() => break,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    log.error(format_args!("TCP: a connection ended badly - {error}"));
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    let now_ns = daemon.clock.now_ns();
                    if !crowd.admits(connections.len(), now_ns) {
                        refusals.note(log, peer, most);
                        continue;
                    }
                    if let Err(error) = prepare(&socket) {
                        log.error(format_args!("TCP: client({peer}) - {error}"));
                        continue;
                    }
                    number += 1;
                    let (daemon, number) = (Arc::clone(daemon), ConnectionId(number));
                    let presence = Arc::new(Presence::new(now_ns));
                    crowd.add(&presence);
                    let stream = Incoming::new(socket, door.clone());
                    let connection = Connection::new(daemon, number, peer, presence, stream);
                    connections.spawn(connection.run());
                }
                Err(error) => {
                    log.error(format_args!("TCP: failed to accept a connection - {error}"));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    log.info(format_args!("TCP: closing {address}"));
    let ended =
        tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} });
    if ended.await.is_err() {
        connections.shutdown().await;
    }
}

/// An nsqd whose host is gone must not stay for ever: there are no heartbeats in this protocol.
fn prepare(socket: &Socket) -> io::Result<()> {
    let Some(stream) = socket.tcp() else { return Ok(()) };
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEP_ALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEP_ALIVE)?;
    Ok(())
}

/// Connections that were one too many: closed at once, so that an nsqd looks for another daemon
/// instead of waiting in the kernel's queue.
#[derive(Default)]
struct Refusals {
    count: u64,
    told_at: Option<Instant>,
}

impl Refusals {
    fn note(&mut self, log: &Logger, peer: Peer, most: usize) {
        self.count += 1;
        // A flood of connections must not become a flood of log lines.
        if self.told_at.is_none_or(|told| told.elapsed() >= REFUSALS_PAUSE) {
            let count = self.count;
            log.warning(format_args!(
                "TCP: closing {peer}: {most} clients are connected, as many as the limit on open \
                 files allows, and none is silent ({count} closed so far)"
            ));
            self.told_at = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_stay_within_the_limit_on_open_files() {
        assert_eq!(connections_max(1024), 480);
        assert_eq!(connections_max(10), 16);
        assert_eq!(connections_max(u64::MAX), 65_536);
    }
}
