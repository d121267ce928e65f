//! Starting and stopping one nsqd.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nsq_app::flags::TlsRequired;
use nsq_app::http::{NOT_HTTPS, Router, serve};
use nsq_app::{Logger, Shutdown};
use nsq_net::{Door, Listener, Peer, Socket, Stream};
use nsq_proto::ClientSettings;
use nsq_store::disk::{Disk, OsDisk};
use nsq_store::lock::DirLock;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::crowd::Crowd;
use crate::driver::Driver;
use crate::http;
use crate::node::{Node, data_path};
use crate::options::Options;
use crate::statsd;

/// How long connections may take to end when the daemon stops.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait when the system cannot take another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An nsqd that listens and has loaded its data, not serving yet.
#[derive(Debug)]
pub struct Server {
    node: Arc<Node>,
    tcp: Listener,
    http: Option<Listener>,
    https: Option<Listener>,
    _lock: DirLock,
}

impl Server {
    /// Locks the data directory, binds the addresses and loads what is there.
    ///
    /// # Errors
    ///
    /// Each with the sentence for the operator: what failed, where, and what to do.
    pub async fn start(options: Options, log: Logger) -> anyhow::Result<Self> {
        Self::start_on(options, log, Arc::new(OsDisk)).await
    }

    /// The same, with everything that is kept on `disk`. The lock is on the real directory.
    ///
    /// # Errors
    ///
    /// As for [`Self::start`].
    pub async fn start_on(
        options: Options,
        log: Logger,
        disk: Arc<dyn Disk>,
    ) -> anyhow::Result<Self> {
        // The texts hold their causes already.
        let instantiate =
            |error: anyhow::Error| anyhow::anyhow!("failed to instantiate nsqd - {error}");
        let path = data_path(&options);
        let lock = DirLock::acquire(&path).map_err(|error| instantiate(error.into()))?;
        options.check().map_err(|error| instantiate(error.into()))?;
        let credentials = Credentials::load(&options).map_err(instantiate)?;
        log.info(format_args!("{}", nsq_app::version::line("nsqd")));
        log.info(format_args!("ID: {}", options.node_id));
        for warning in options.warnings() {
            log.warning(format_args!("{warning}"));
        }
        let listen = async |address: &str| {
            Listener::bind(address).await.map_err(|error| instantiate(error.into()))
        };
        let tcp = listen(&options.tcp_address).await?;
        let http = match options.http_address.as_str() {
            "" => None,
            address => Some(listen(address).await?),
        };
        let https = match options.https_address.as_str() {
            address if credentials.tls.is_some() && !address.is_empty() => {
                Some(listen(address).await?)
            }
            _ => None,
        };
        let workers = tokio::runtime::Handle::current().metrics().num_workers();
        let permits = workers.saturating_sub(1).max(1);
        let node = Node::new(options, credentials, disk, log, permits).map_err(|error| {
            let path = path.display();
            anyhow::anyhow!(
                "failed to load metadata - cannot use {path} - {error}; the directory must be \
                 readable and writable for this user"
            )
        })?;
        let loading = Arc::clone(&node);
        tokio::task::spawn_blocking(move || loading.load()).await??;
        node.log.info(format_args!("{}", durability(&node.options)));
        node.set_ports(http::Ports {
            tcp: port(&tcp),
            http: http.as_ref().map_or(0, port),
            https: https.as_ref().map_or(0, port),
        });
        Ok(Self { node, tcp, http, https, _lock: lock })
    }

    /// What can be changed while it serves.
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The address for TCP clients, with the port that was really bound, or the path of the unix
    /// socket.
    #[must_use]
    pub fn tcp_address(&self) -> String {
        self.tcp.address()
    }

    /// The address for HTTP clients, if there is one.
    #[must_use]
    pub fn http_address(&self) -> Option<String> {
        self.http.as_ref().map(Listener::address)
    }

    /// The address for HTTPS clients, if there is one.
    #[must_use]
    pub fn https_address(&self) -> Option<String> {
        self.https.as_ref().map(Listener::address)
    }

    /// Serves until `shutdown` begins, then stops in order: no message that was accepted is lost,
    /// and due times and attempts are kept.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { node, tcp, http, https, _lock } = self;
        let ports = node.ports();
        node.begin_lookup();
        let mut background = JoinSet::new();
        background.spawn({
            let node = Arc::clone(&node);
            async move { node.sweep.run(node.clock).await }
        });
        background.spawn({
            let node = Arc::clone(&node);
            async move { node.keeper.run().await }
        });
        background.spawn(Arc::clone(&node).keep_metadata());
        background.spawn(statsd::push_all(Arc::clone(&node), ports.http));
        let mut serving = JoinSet::new();
        let doors = doors(&node, http, https);
        // They share the files that there are for requests.
        let most = node.handles.http / doors.len().max(1);
        for (name, listener, door) in doors {
            let state = Arc::new(http::Endpoints { node: Arc::clone(&node), ports });
            let is_plain = matches!(door, Door::Plain);
            let router = Router::new(state, node.log.clone(), http::routes());
            let router = router.answering_half_closed();
            let router = router.metered(Arc::clone(&node.meters.http));
            let router = router.guarded(node.credentials.http_tokens.clone());
            let router = match node.tls_required() {
                TlsRequired::Yes if is_plain => router.closed(http::tls_required(ports.https)),
                _ => router,
            };
            let shutdown = shutdown.clone();
            serving.spawn(serve(name, (listener, door), Arc::new(router), shutdown, most));
        }
        serve_tcp(&node, tcp, &shutdown).await;
        while let Some(ended) = serving.join_next().await {
            ended??;
        }
        background.shutdown().await;
        node.close_lookup_peers();
        let finishing = Arc::clone(&node);
        tokio::task::spawn_blocking(move || finishing.finish()).await?;
        node.log.info(format_args!("NSQ: bye"));
        Ok(())
    }
}

/// Accepts connections until `shutdown` begins, then closes them all.
async fn serve_tcp(node: &Arc<Node>, listener: Listener, shutdown: &Shutdown) {
    let address = listener.address();
    node.log.info(format_args!("TCP: listening on {address}"));
    let mut connections = JoinSet::new();
    let next = AtomicU64::new(0);
    let mut crowd = Crowd::new(node.handles.clients);
    loop {
        tokio::select! {
            biased;
            () = shutdown.wait() => break,
            // First, so that those that are gone make room for those that come.
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    node.log.error(format_args!("TCP: a connection ended badly - {error}"));
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    if !crowd.admits(node, connections.len(), peer) {
                        continue;
                    }
                    let client = Arc::new(newcomer(node, peer));
                    crowd.add(&client);
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(serve_connection(Arc::clone(node), socket, client, number));
                }
                Err(error) => {
                    node.log.error(format_args!("TCP: failed to accept a connection - {error}"));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    node.log.info(format_args!("TCP: closing {address}"));
    let ended = tokio::time::timeout(GRACE, async {
        // Again and again, for those that were accepted a moment ago.
        while !connections.is_empty() {
            node.clients.lock().values().for_each(|client| client.signal.close());
            let all = async { while connections.join_next().await.is_some() {} };
            if tokio::time::timeout(ACCEPT_PAUSE, all).await.is_ok() {
                break;
            }
        }
    });
    if ended.await.is_err() {
        connections.shutdown().await;
    }
}

fn newcomer(node: &Node, peer: Peer) -> Client {
    let name = peer.ip().map_or_else(String::new, |ip| ip.to_string());
    let settings = ClientSettings::new(&name, &node.identify_limits);
    Client::new(peer, node.clock.wall_ns() / 1_000_000_000, settings)
}

async fn serve_connection(node: Arc<Node>, socket: Socket, client: Arc<Client>, number: u64) {
    let peer = client.address;
    let _open = node.meters.tcp.accept();
    node.log.info(format_args!("TCP: new client({peer})"));
    node.clients.lock().insert(number, Arc::clone(&client));
    let registered = Registered { node: &node, number };
    Driver::new(Arc::clone(&node), client, Stream::new(socket)).run().await;
    drop(registered);
    node.log.info(format_args!("PROTOCOL(V2): [{peer}] exiting ioloop"));
}

/// Takes the client off the list, however its task ends.
struct Registered<'a> {
    node: &'a Node,
    number: u64,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.node.clients.lock().remove(&self.number);
    }
}

/// The port that was bound; -1 for a unix socket, as Go NSQ has it.
fn port(listener: &Listener) -> i32 {
    listener.port().map_or(-1, i32::from)
}

/// Where requests come from, and what is expected there.
fn doors(
    node: &Node,
    http: Option<Listener>,
    https: Option<Listener>,
) -> Vec<(&'static str, Listener, Door)> {
    let http = http.map(|listener| ("HTTP", listener, Door::Plain));
    let https = https.zip(node.credentials.tls.clone());
    let https = https.map(|(listener, tls)| ("HTTPS", listener, Door::Tls(tls, NOT_HTTPS)));
    http.into_iter().chain(https).collect()
}

/// One sentence on what a publisher may rely on.
fn durability(options: &Options) -> String {
    match options.sync_every {
        1 => "DURABILITY: OK is answered after fsync; a power cut loses nothing".to_owned(),
        every => format!(
            "DURABILITY: OK is answered after the write; kill -9 loses nothing, a power cut at \
             most {every} messages or {:?}",
            options.sync_timeout
        ),
    }
}
