//! Accepting connections and serving their requests.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nsq_net::{Door, Incoming, Listener, Peer};
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::{JoinError, JoinSet};
use tokio::time;
use tokio_io_timeout::TimeoutStream;

use super::Router;
use super::connection::Connection;
use crate::{Logger, Shutdown};

/// How many connections may be ending beyond the limit.
const ENDING_MAX: usize = 16;

/// How often a connection is looked for that can be ended, when all were busy.
const EVICTION_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection that has to make room may take to write the rest of a response, or to
/// complete a request it has begun.
const EVICTION_GRACE: Duration = Duration::from_secs(1);

/// So few connections are not worth a look for those that have ended.
const TIDY_MIN: usize = 64;

/// How many busy connections are passed over in the search for one that can be closed.
const EVICTION_TRIES: usize = 64;

/// Largest request head, as in Go: above it the answer is 431. Also the largest single read.
const HEAD_BYTES_MAX: usize = 1 << 20;

/// How long a request head may take, and how long a connection may be idle before one. Go NSQ
/// waits for ever; this is well above the 90 s after which Go's own clients drop idle
/// connections, so that a client never sends into one we are about to close.
const HEAD_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a client may take no byte of its response, which is kept for it: `/metrics` of a large
/// daemon is megabytes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the client of a stream may take to let its end be written, when the daemon stops: who
/// has fallen behind may not hold it up.
const STREAM_END_GRACE: Duration = Duration::from_millis(100);

/// How long requests still running at shutdown may take.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// How long a connection with an unread body stays half open, as in Go: closing it with bytes
/// unread resets it, and the reset can overtake the response.
const LINGER: Duration = Duration::from_millis(500);

/// Pause after the first failed accept, e.g. for want of file handles; it doubles up to
/// [`ACCEPT_PAUSE_MAX`].
const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(5);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Serves `listener` until `shutdown` begins; `name` (`HTTP`, `HTTPS`) is for the log. Then closes
/// it, idle connections and streams at once, and the others when their request is answered, at the
/// latest after two seconds.
///
/// Of `connections_max` connections at once, the oldest that waits for a request, or for the rest
/// of one, or sends a stream, makes room for a new one; when all are busy, new ones wait in the
/// kernel's queue.
///
/// # Errors
///
/// When the listener fails for good.
pub async fn serve<S>(
    name: &str,
    (listener, door): (Listener, Door),
    router: Arc<Router<S>>,
    shutdown: Shutdown,
    connections_max: usize,
) -> io::Result<()>
where
    S: Send + Sync + 'static,
{
    let log = router.log().clone();
    let address = listener.address();
    log.info(format_args!("{name}: listening on {address}"));
    if router.is_guarded() && is_overheard(&listener, &door) {
        log.warning(format_args!(
            "{name}: tokens travel in plain text to {address}, for whoever can hear the network"
        ));
    }
    let mut connections = Connections::new(connections_max);
    let outcome = accept_all((&listener, &door), &mut connections, &router, &shutdown).await;
    drop(listener);
    log.info(format_args!("{name}: closing {address}"));
    // After a failure nobody has told the connections to end; dropping the set ends them.
    if outcome.is_ok() {
        let ended = time::timeout(SHUTDOWN_GRACE, async {
            while let Some(end) = connections.tasks.join_next().await {
                report(&log, end);
            }
        });
        if ended.await.is_err() {
            let running = connections.tasks.len();
            log.warning(format_args!("{name}: dropping {running} running requests"));
        }
    }
    outcome
}

async fn accept_all<S>(
    (listener, door): (&Listener, &Door),
    connections: &mut Connections,
    router: &Arc<Router<S>>,
    shutdown: &Shutdown,
) -> io::Result<()>
where
    S: Send + Sync + 'static,
{
    let log = router.log();
    let mut stop = pin!(shutdown.wait());
    let mut pause = ACCEPT_PAUSE_MIN;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            Some(end) = connections.tasks.join_next() => {
                report(log, end);
                continue;
            }
            accepted = listener.accept(), if !connections.are_too_many() => accepted,
            () = time::sleep(EVICTION_PAUSE), if connections.are_too_many() => {
                connections.make_room();
                continue;
            }
        };
        match accepted {
            Ok((socket, peer)) => {
                let stream = Incoming::new(socket, door.clone());
                pause = ACCEPT_PAUSE_MIN;
                let (router, shutdown) = (Arc::clone(router), shutdown.clone());
                // Before it is one of them: it must not make room for itself.
                connections.make_room();
                let connection = connections.add(peer);
                connections.tasks.spawn(serve_connection(router, stream, connection, shutdown));
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                log.warning(format_args!("http: Accept error: {error}; retrying in {pause:?}"));
                tokio::select! {
                    () = &mut stop => return Ok(()),
                    () = time::sleep(pause) => {}
                }
                pause = ACCEPT_PAUSE_MAX.min(pause * 2);
            }
        }
    }
}

/// Whether plain text comes to it from other hosts.
fn is_overheard(listener: &Listener, door: &Door) -> bool {
    let address = listener.tcp_address().ok().flatten();
    !matches!(door, Door::Tls(..)) && address.is_some_and(|address| !address.ip().is_loopback())
}

/// The connections of one listener.
struct Connections {
    tasks: JoinSet<()>,
    /// In the order in which they came; those that have ended are still in it for a while.
    all: VecDeque<Weak<Connection>>,
    /// How long that may become until those are taken out.
    tidy_at: usize,
    max: usize,
}

impl Connections {
    fn new(max: usize) -> Self {
        Self { tasks: JoinSet::new(), all: VecDeque::new(), tidy_at: TIDY_MIN, max: max.max(1) }
    }

    fn add(&mut self, peer: Peer) -> Arc<Connection> {
        // Even a weak reference keeps the memory of a connection that has ended.
        if self.all.len() >= self.tidy_at {
            self.all.retain(|connection| connection.strong_count() > 0);
            self.tidy_at = TIDY_MIN.max(2 * self.all.len());
        }
        let connection = Arc::new(Connection::new(peer));
        self.all.push_back(Arc::downgrade(&connection));
        connection
    }

    /// Whether even those that are just ending leave no room for another.
    fn are_too_many(&self) -> bool {
        self.tasks.len() >= self.max + ENDING_MAX
    }

    /// Ends one that waits for its client, unless there is room for another.
    fn make_room(&mut self) {
        if self.tasks.len() < self.max {
            return;
        }
        // Those passed over are busy: they have their turn again behind the others.
        for _ in 0..self.all.len().min(EVICTION_TRIES) {
            let Some(oldest) = self.all.pop_front() else { break };
            let Some(connection) = oldest.upgrade() else { continue };
            if connection.close_if_idle() {
                return;
            }
            self.all.push_back(oldest);
        }
    }
}

/// Whether only the connection about to be accepted is lost.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Whether the listener itself is broken. All else, like a shortage of file handles or a network
/// that is down, passes.
fn is_final(error: &io::Error) -> bool {
    let finals = [Errno::BADF, Errno::INVAL, Errno::NOTSOCK, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|errno| finals.contains(&errno))
}

fn report(log: &Logger, end: Result<(), JoinError>) {
    if let Err(error) = end {
        log.error(format_args!("HTTP connection ended by a fault - {error}"));
    }
}

async fn serve_connection<S>(
    router: Arc<Router<S>>,
    stream: Incoming,
    connection: Arc<Connection>,
    shutdown: Shutdown,
) where
    S: Send + Sync + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let mut stream = Box::pin(stream);
    let _open = router.connections().accept();
    let service = service_fn(|request| {
        let (router, connection) = (&router, &connection);
        async move {
            connection.on_request();
            connection.set_busy(true);
            let response = router.respond(connection, request).await;
            connection.set_busy(false);
            Ok::<_, Infallible>(response)
        }
    });
    let outcome = {
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .half_close(router.answers_half_closed())
            .max_buf_size(HEAD_BYTES_MAX)
            .title_case_headers(true)
            .serve_connection(TokioIo::new(&mut stream), service);
        let mut served = pin!(served);
        tokio::select! {
            outcome = &mut served => outcome,
            () = connection.evicted() => {
                // Nothing is owed to a client that has not even completed one head: a flood of
                // those must not hold every place for the time of grace.
                if !connection.has_asked() {
                    return;
                }
                connection.end_stream();
                served.as_mut().graceful_shutdown();
                match time::timeout(EVICTION_GRACE, served).await {
                    // Its last response is written, or would not be taken.
                    Ok(_) | Err(_) => return,
                }
            }
            () = shutdown.wait() => {
                let has_stream = connection.end_stream();
                served.as_mut().graceful_shutdown();
                if has_stream {
                    match time::timeout(STREAM_END_GRACE, served).await {
                        Ok(_) | Err(_) => return,
                    }
                }
                served.await
            }
        }
    };
    match outcome {
        Ok(()) if !connection.body_is_unread() => {}
        // hyper has answered what could be answered; what is left is a client gone or confused.
        Ok(()) | Err(_) => linger(&mut stream).await,
    }
}

/// Reads and drops what still comes in, so that the client gets to read its response.
async fn linger(stream: &mut (impl AsyncRead + Unpin)) {
    let drain = async {
        let mut unwanted = [0; 4096];
        while matches!(stream.read(&mut unwanted).await, Ok(1..)) {}
    };
    if time::timeout(LINGER, drain).await.is_err() {
        // The client had its chance.
    }
}
