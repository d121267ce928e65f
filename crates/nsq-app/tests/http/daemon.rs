//! A small daemon with endpoints like nsqd's.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use nsq_app::http::{
    Answer, Failure, HandlerResult, HeaderValue, Method, Request, Route, Router, StatusCode,
    StreamSender, get, post, put, serve,
};
use nsq_app::local_time::LocalTime;
use nsq_app::{ConnectionMeter, LogLevel, Logger, Shutdown, TokenFile};
use nsq_net::{Door, Listener};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::wire::Client;

/// The longest body `/pub` takes, in bytes.
pub(crate) const BODY_LIMIT_BYTES: u64 = 100_000;

/// How many connections there may be at once.
pub(crate) const CONNECTIONS_MAX: usize = 10;

/// The length of `/large`.
pub(crate) const LARGE_BYTES: usize = 64 << 20;

/// State of the endpoints.
#[derive(Default)]
pub(crate) struct State {
    /// Told when `/wait` has begun.
    pub(crate) waiting: Notify,
    /// Lets `/wait` answer.
    pub(crate) go_on: Notify,
    /// The other end of the last `/stream`.
    stream: Mutex<Option<StreamSender>>,
}

/// A running daemon.
pub(crate) struct Daemon {
    pub(crate) address: String,
    pub(crate) state: Arc<State>,
    pub(crate) shutdown: Shutdown,
    pub(crate) server: JoinHandle<io::Result<()>>,
    pub(crate) meter: Arc<ConnectionMeter>,
    log: mpsc::UnboundedReceiver<String>,
}

impl Daemon {
    pub(crate) async fn start() -> Self {
        Self::serve(|router| router).await
    }

    /// One that compresses.
    pub(crate) async fn compressing() -> Self {
        Self::serve(Router::compressed).await
    }

    /// One that answers those who have closed their direction.
    pub(crate) async fn answering_half_closed() -> Self {
        Self::serve(Router::answering_half_closed).await
    }

    /// One that answers only those who have a token.
    pub(crate) async fn guarded(tokens: Option<Arc<TokenFile>>) -> Self {
        Self::serve(|router| router.guarded(tokens)).await
    }

    async fn serve(form: impl FnOnce(Router<State>) -> Router<State>) -> Self {
        let listener = Listener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.address();
        let (log, state, shutdown) = (capture_log(), Arc::default(), Shutdown::new());
        let meter = Arc::<ConnectionMeter>::default();
        let router = Router::new(Arc::clone(&state), log.0, routes()).metered(Arc::clone(&meter));
        let router = Arc::new(form(router));
        let door = (listener, Door::Plain);
        let server = tokio::spawn(serve("HTTP", door, router, shutdown.clone(), CONNECTIONS_MAX));
        let mut daemon = Self { address, state, shutdown, server, meter, log: log.1 };
        let listening = format!("INFO: HTTP: listening on {}", daemon.address);
        assert_eq!(daemon.next_line().await, listening);
        daemon
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&self.address).await
    }

    /// The next log line without its date.
    pub(crate) async fn next_line(&mut self) -> String {
        let line = self.log.recv().await.expect("the logger lives");
        let mut parts = line.trim_end().splitn(3, ' ');
        parts.nth(2).expect("date, time, text").to_owned()
    }

    /// Waits for the end of the server, and gives the log lines until then, without dates.
    pub(crate) async fn ended(mut self) -> Vec<String> {
        self.server.await.expect("no panic").expect("an orderly end");
        let mut lines = Vec::new();
        while let Some(line) = self.log.recv().await {
            lines.push(line.trim_end().splitn(3, ' ').nth(2).expect("a text").to_owned());
        }
        lines
    }

    /// The next log line, which is about a request, without date, port and time taken.
    pub(crate) async fn next_request(&mut self) -> String {
        let line = self.next_line().await;
        let (text, peer) = line.rsplit_once(" (127.0.0.1:").expect("the peer's address");
        let (port, elapsed) = peer.split_once(") ").expect("the time taken");
        assert!(port.parse::<u16>().is_ok(), "{line}");
        assert!(elapsed.ends_with('s') && elapsed.starts_with(|c: char| c.is_ascii_digit()));
        text.to_owned()
    }
}

/// The other end of the last `/stream`, whose head has come.
pub(crate) fn stream_of(daemon: &Daemon) -> StreamSender {
    daemon.state.stream.lock().expect("no panic under it").take().expect("its head has come")
}

/// A logger and what it writes.
pub(crate) fn capture_log() -> (Logger, mpsc::UnboundedReceiver<String>) {
    let (lines, written) = mpsc::unbounded_channel();
    (Logger::new("", LogLevel::Info, LocalTime::utc(), Box::new(Lines(lines))), written)
}

struct Lines(mpsc::UnboundedSender<String>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.send(String::from_utf8_lossy(bytes).into_owned()) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn routes() -> Vec<Route<State>> {
    vec![
        get("/ping", ping).plain().open(),
        get("/stats", stats),
        get("/large", large),
        get("/fault", fault).unlogged(),
        get("/wait", wait),
        post("/pub", publish).reads_body().unlogged(),
        post("/topic/create", create_topic),
        get("/config/:option", show_option),
        put("/config/:option", show_option).reads_body(),
        get("/debug/pprof/", ping),
        put("/debug/setblockrate", refuse_plainly).plain(),
        get("/wait/detached", wait).detached(),
        get("/stream", stream).plain(),
        get("/letters/:count", letters).plain(),
        Route::new(Method::HEAD, "/letters/:count", letters).plain(),
        get("/image/:count", image).plain(),
        get("/page", page).plain(),
        get("/refused", refused),
        get("/see/:place", see_other).plain(),
        post("/form", form).plain().reads_body(),
    ]
}

async fn ping(_: Arc<State>, _: Request) -> HandlerResult {
    Ok(Answer::text("OK"))
}

async fn stats(_: Arc<State>, request: Request) -> HandlerResult {
    let query = request.query()?;
    Answer::json(&[query.first("topic")])
}

/// More than fits into the buffers of the kernel.
async fn large(_: Arc<State>, _: Request) -> HandlerResult {
    Ok(Answer::text(vec![b'x'; LARGE_BYTES]))
}

async fn fault(_: Arc<State>, request: Request) -> HandlerResult {
    panic!("no {}", request.path());
}

async fn wait(state: Arc<State>, _: Request) -> HandlerResult {
    state.waiting.notify_one();
    state.go_on.notified().await;
    Ok(Answer::text("waited"))
}

async fn publish(_: Arc<State>, mut request: Request) -> HandlerResult {
    let body = request.read_body(BODY_LIMIT_BYTES).await;
    Ok(Answer::text(body.map_err(|error| error.refuse("MSG_TOO_BIG"))?))
}

async fn create_topic(_: Arc<State>, _: Request) -> HandlerResult {
    Ok(Answer::empty())
}

async fn show_option(_: Arc<State>, request: Request) -> HandlerResult {
    Answer::json(&request.parameter())
}

async fn refuse_plainly(_: Arc<State>, _: Request) -> HandlerResult {
    Err(Failure::bad_request("invalid block rate"))
}

async fn stream(state: Arc<State>, _: Request) -> HandlerResult {
    let (answer, sender) = Answer::stream("text/event-stream", 8);
    *state.stream.lock().expect("no panic under it") = Some(sender);
    Ok(answer)
}

async fn letters(_: Arc<State>, request: Request) -> HandlerResult {
    Ok(Answer::text(vec![b'x'; count_of(&request)?]))
}

async fn image(_: Arc<State>, request: Request) -> HandlerResult {
    Ok(Answer::of_type("image/png", vec![b'x'; count_of(&request)?]))
}

fn count_of(request: &Request) -> Result<usize, Failure> {
    let count = request.parameter().and_then(|count| count.parse().ok());
    count.ok_or(Failure::bad_request("INVALID_COUNT"))
}

async fn page(_: Arc<State>, _: Request) -> HandlerResult {
    let page = Answer::of_type("text/html; charset=utf-8", "<p>not</p>");
    Ok(page
        .with_status(StatusCode::NOT_FOUND)
        .with_header("set-cookie", HeaderValue::from_static("a=1"))
        .with_header("set-cookie", HeaderValue::from_static("b=2"))
        .with_header("x-count", 3))
}

async fn refused(_: Arc<State>, _: Request) -> HandlerResult {
    let failure = Failure::new(StatusCode::FORBIDDEN, "FORBIDDEN");
    Err(failure
        .with_header("retry-after", 5)
        .with_header("x-why", HeaderValue::from_static("because")))
}

async fn see_other(_: Arc<State>, request: Request) -> HandlerResult {
    Ok(Answer::see_other(&format!("/{}", request.parameter().unwrap_or_default())))
}

async fn form(_: Arc<State>, mut request: Request) -> HandlerResult {
    let form = request.form(BODY_LIMIT_BYTES).await?;
    let name = form.first("name").ok_or(Failure::bad_request("MISSING_ARG_NAME"))?;
    Ok(Answer::text(name.into_owned()))
}
