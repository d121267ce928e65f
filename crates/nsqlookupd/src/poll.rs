//! Long polling: a request that waits until its answer would be another.

use std::future::pending;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use bytes::Bytes;
use nsq_app::duration::parse_nanoseconds;
use nsq_app::http::{Answer, Failure, HandlerResult, Query};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::daemon::Daemon;

/// The header with the number of an answer.
const INDEX: &str = "x-nsq-index";
/// Longer than this nobody waits for one answer.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// The index of an answer 404.
const NOTHING: u64 = 0;
/// Indexes have as many bits as the numbers of JavaScript.
const INDEX_BITS: u32 = 53;
/// How much later than the moment at which a state may end it is looked at again: timers may be
/// early by less than this.
const TIMER_SLACK: Duration = Duration::from_millis(1);

/// What there is to answer at some moment.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// JSON, or `None` when the topic does not exist.
    body: Option<Bytes>,
    /// A number made of the answer's bytes, so that it is another when, and only when, the answer
    /// is, for whatever reason: a command, or time that has passed. It needs no history, and holds
    /// over a restart.
    index: u64,
    /// When time alone changes it at the earliest.
    changes_at_ns: Option<i64>,
}

impl View {
    /// This JSON, and when time alone changes it at the earliest.
    pub(crate) fn new(body: Vec<u8>, changes_at_ns: Option<i64>) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&body);
        let index = (hasher.finish() >> (u64::BITS - INDEX_BITS)).max(NOTHING + 1);
        Self { body: Some(body.into()), index, changes_at_ns }
    }

    /// There is no such topic.
    pub(crate) fn nothing() -> Self {
        Self { body: None, index: NOTHING, changes_at_ns: None }
    }

    /// Whether it holds at this moment, if nothing but time has changed.
    pub(crate) fn holds_at(&self, now_ns: i64) -> bool {
        self.changes_at_ns.is_none_or(|changes_at_ns| now_ns < changes_at_ns)
    }

    fn answer(self) -> HandlerResult {
        let index = self.index;
        match self.body {
            Some(body) => Ok(Answer::of_json(body).with_header(INDEX, index)),
            None => Err(Failure::not_found("TOPIC_NOT_FOUND").with_header(INDEX, index)),
        }
    }
}

/// The places for requests that wait.
#[derive(Debug)]
pub(crate) struct Waiters {
    places: Semaphore,
    count: usize,
}

impl Waiters {
    pub(crate) fn new(count: usize) -> Self {
        Self { places: Semaphore::new(count), count }
    }

    /// How many wait.
    pub(crate) fn taken(&self) -> usize {
        self.count.saturating_sub(self.places.available_permits())
    }
}

/// What a client that waits already has, and for how long it waits for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    index: u64,
    time: Duration,
}

impl Wait {
    /// The parameters `wait` and `index`; only both together make a request wait.
    pub(crate) fn of(query: &Query<'_>) -> Result<Option<Self>, Failure> {
        let time = query.first("wait").map(|text| {
            let time = parse_nanoseconds(&text).and_then(|time| u64::try_from(time).ok());
            time.ok_or(Failure::bad_request("INVALID_ARG_WAIT"))
        });
        let index = query
            .first("index")
            .map(|text| text.parse().map_err(|_| Failure::bad_request("INVALID_ARG_INDEX")));
        let (time, index) = (time.transpose()?, index.transpose()?);
        let time = time.map(|time| Duration::from_nanos(time).min(WAIT_MAX));
        Ok(index.zip(time).map(|(index, time)| Self { index, time }))
    }
}

/// Answers with what `view` shows; if that is what the client has already, when it shows something
/// else or the time is over. `changes` wakes it; unless `version` is another then, nobody looks.
/// After a change there is a `pause`, for costly views: several changes are taken together.
pub(crate) async fn answer<C, F: Future<Output = Result<View, Failure>>>(
    daemon: &Daemon,
    wait: Option<Wait>,
    mut changes: watch::Receiver<C>,
    pause: Duration,
    version: impl Fn() -> u64,
    view: impl Fn() -> F,
) -> HandlerResult {
    let Some(wait) = wait else { return view().await?.answer() };
    // Beyond this number nobody waits: there must be room for other requests.
    let Ok(_place) = daemon.waiters.places.try_acquire() else { return view().await?.answer() };
    let deadline = Instant::now() + wait.time;
    loop {
        changes.mark_unchanged();
        let (seen, now) = (version(), view().await?);
        if now.index != wait.index || Instant::now() >= deadline {
            return now.answer();
        }
        let changes_at_ns = now.changes_at_ns;
        drop(now);
        tokio::select! {
            () = next_version(&mut changes, &version, seen) => {
                tokio::select! {
                    () = sleep(pause) => {}
                    () = daemon.shutdown.wait() => return view().await?.answer(),
                }
            }
            () = passed(daemon, changes_at_ns) => {}
            () = sleep_until(deadline) => return view().await?.answer(),
            () = daemon.shutdown.wait() => return view().await?.answer(),
        }
    }
}

/// Returns when the version is another than `seen`.
async fn next_version<C>(changes: &mut watch::Receiver<C>, version: impl Fn() -> u64, seen: u64) {
    while version() == seen {
        if changes.changed().await.is_err() {
            // Nobody is left who could change anything.
            pending::<()>().await;
        }
    }
}

/// Returns when the time has come, never without one.
async fn passed(daemon: &Daemon, at_ns: Option<i64>) {
    match at_ns {
        Some(at_ns) => sleep(daemon.clock.until(at_ns) + TIMER_SLACK).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let seconds = |index, time| Some(Wait { index, time: Duration::from_secs(time) });
        for (query, expected) in [
            ("", Ok(None)),
            ("wait=1s", Ok(None)),
            ("index=1", Ok(None)),
            ("wait=1s&index=7", Ok(seconds(7, 1))),
            ("wait=0&index=0", Ok(seconds(0, 0))),
            ("wait=1h&index=7", Ok(seconds(7, 600))),
            ("wait=-1s&index=7", Err("INVALID_ARG_WAIT")),
            ("wait=5&index=7", Err("INVALID_ARG_WAIT")),
            ("wait=&index=7", Err("INVALID_ARG_WAIT")),
            ("wait=1s&index=", Err("INVALID_ARG_INDEX")),
            ("wait=1s&index=x", Err("INVALID_ARG_INDEX")),
        ] {
            let found = Wait::of(&Query::parse(query).expect("well-formed"));
            assert_eq!(found, expected.map_err(Failure::bad_request), "{query}");
        }
    }

    #[test]
    fn an_index_is_of_the_answer() {
        let index = |body: Option<&str>| {
            body.map_or_else(View::nothing, |body| View::new(body.into(), None)).index
        };
        assert_eq!(index(None), 0);
        assert_eq!(index(Some("{}")), index(Some("{}")));
        assert_ne!(index(Some("{}")), index(Some("[]")));
        assert!(index(Some("")) > 0 && index(Some("")) < 1 << 53);
    }
}
