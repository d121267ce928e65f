//! Asking an nsqlookupd where nsqd nodes are, again and again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nsq_api::{
    HeaderValue, HttpClient, HttpRequest, HttpUrl, Lookup, LookupNodes, Producer, RequestError,
};
use nsq_net::TlsClient;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};

use crate::{Config, InvalidOption, SetupError};

/// An answer is longer only if somebody lies: a thousand nodes are some 300 kB.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// How long a request waits for news at most.
const LONG_POLL: Duration = Duration::from_secs(30);
/// The least time between two requests, whatever the other side does.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// How soon an nsqlookupd that failed is asked again, unless the interval is shorter.
const RETRY: Duration = Duration::from_secs(5);
const INDEX: &str = "x-nsq-index";
const CONTENT_TYPE: &str = "x-nsq-content-type";

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// Who serves this topic?
    Topic(String),
    /// Who is there at all?
    Nodes,
}

/// What an nsqlookupd answered: addresses of nsqd nodes for TCP.
#[derive(Debug)]
pub(crate) struct News {
    /// Which one, as numbered by whoever asks.
    pub(crate) lookupd: usize,
    pub(crate) nodes: BTreeSet<String>,
}

/// One nsqlookupd and how it is asked.
#[derive(Debug)]
pub(crate) struct Lookupd {
    /// What log lines begin with: whose it is.
    label: String,
    /// As it is shown: without anything secret.
    name: String,
    question: Question,
    /// With the question, without the rest of the query.
    url: String,
    client: HttpClient,
    interval: Duration,
    jitter: f64,
    uses_long_polling: bool,
}

/// What came of one request.
struct Answer {
    nodes: BTreeSet<String>,
    /// For long polling, if it is offered.
    index: Option<String>,
}

/// The body of an nsqlookupd before 1.0.
#[derive(Deserialize)]
struct Wrapped<T> {
    data: T,
}

impl Lookupd {
    /// Reads an address: `host:port` or a URL. A path other than `/` is kept.
    pub(crate) fn new(
        label: String,
        address: &str,
        question: Question,
        config: &Config,
        tls: Option<&TlsClient>,
    ) -> Result<Self, SetupError> {
        let invalid = || SetupError::LookupdAddress(address.to_owned());
        let scheme = if address.contains("://") { "" } else { "http://" };
        let whole = format!("{scheme}{address}");
        let parsed = HttpUrl::parse(&whole).ok_or_else(invalid)?;
        let (base, query) = whole.split_once('?').unwrap_or((&whole, ""));
        let has_path = base
            .split("://")
            .nth(1)
            .is_some_and(|rest| rest.split_once('/').is_some_and(|(_, path)| !path.is_empty()));
        let path = match (&question, has_path) {
            (_, true) => "",
            (Question::Topic(_), false) => "/lookup",
            (Question::Nodes, false) => "/nodes",
        };
        let base = if has_path { base } else { base.trim_end_matches('/') };
        let mut query = query.to_owned();
        if let Question::Topic(topic) = &question {
            let and = if query.is_empty() { "" } else { "&" };
            query = format!("{query}{and}topic={}", topic.replace('#', "%23"));
        }
        let mark = if query.is_empty() { "" } else { "?" };
        let tls = match (parsed.is_https(), tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(tls.clone()),
            (true, None) => {
                let tls = TlsClient::load(&config.tls);
                Some(tls.map_err(|error| InvalidOption::Conflict(error.to_string()))?)
            }
        };
        let sends_secret = config.lookupd_authorization && !config.auth_secret.is_empty();
        let authorization = if sends_secret {
            let mut value = HeaderValue::try_from(format!("Bearer {}", config.auth_secret))
                .map_err(|_| InvalidOption::Conflict("auth_secret is no header".to_owned()))?;
            value.set_sensitive(true);
            Some(value)
        } else {
            None
        };
        Ok(Self {
            label,
            name: parsed.to_string(),
            question,
            url: format!("{base}{path}{mark}{query}"),
            client: HttpClient {
                connect_timeout: config.dial_timeout,
                request_timeout: config.lookupd_poll_timeout,
                max_body_bytes: ANSWER_BYTES_MAX,
                tls,
                authorization,
            },
            interval: config.lookupd_poll_interval,
            jitter: config.lookupd_poll_jitter,
            uses_long_polling: config.lookupd_long_polling,
        })
    }

    /// Asks until nobody listens any more. `again` asks at once, if no request is under way.
    pub(crate) async fn watch(self, number: usize, news: mpsc::Sender<News>, again: Arc<Notify>) {
        let (mut index, mut failures) = (None::<String>, 0_u32);
        loop {
            let asked_at = Instant::now();
            let waited_for = index.clone();
            let (pause, is_long_poll) = match self.ask(waited_for.as_deref()).await {
                Ok(answer) => {
                    failures = 0;
                    let news_there = News { lookupd: number, nodes: answer.nodes };
                    if news.send(news_there).await.is_err() {
                        return;
                    }
                    index = answer.index.filter(|_| self.uses_long_polling);
                    // The same answer at once: it has no room for requests that wait.
                    let is_refused = waited_for.is_some()
                        && waited_for == index
                        && asked_at.elapsed() < PAUSE_MIN;
                    let waits = index.is_some() && !is_refused;
                    (if waits { PAUSE_MIN } else { self.varied(self.interval) }, waits)
                }
                Err(error) => {
                    index = None;
                    failures += 1;
                    let Self { label, name, .. } = &self;
                    log::error!("{label} error querying nsqlookupd ({name}) - {error}");
                    let pause = RETRY.saturating_mul(failures).min(self.interval);
                    (self.varied(pause), false)
                }
            };
            if is_long_poll {
                sleep(pause.saturating_sub(asked_at.elapsed())).await;
            } else {
                sleep(PAUSE_MIN).await;
                // Whichever comes first.
                match timeout(pause, again.notified()).await {
                    Ok(()) | Err(_) => {}
                }
            }
        }
    }

    /// The pause and up to a share of it more, by chance.
    fn varied(&self, pause: Duration) -> Duration {
        pause + pause.mul_f64(self.jitter * fastrand::f64())
    }

    async fn ask(&self, index: Option<&str>) -> Result<Answer, RequestError> {
        let and = if self.url.contains('?') { '&' } else { '?' };
        let url = match index {
            None => self.url.clone(),
            Some(index) => {
                let wait = LONG_POLL.min(self.client.request_timeout / 2).as_millis();
                format!("{}{and}wait={wait}ms&index={index}", self.url)
            }
        };
        let Some(url) = HttpUrl::parse(&url) else { return Err(RequestError::TimedOut) };
        let answer = self.client.exchange(HttpRequest { url: &url, form: None }).await?;
        let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let index = header(INDEX).filter(is_number).map(str::to_owned);
        // Nobody serves the topic yet.
        let is_unknown = answer.status == 404 && matches!(self.question, Question::Topic(_));
        if !answer.status.is_success() && !is_unknown {
            let said: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
            return Err(RequestError::Status(answer.status, said));
        }
        if is_unknown {
            return Ok(Answer { nodes: BTreeSet::new(), index });
        }
        let is_wrapped = header(CONTENT_TYPE).is_none();
        let producers = match self.question {
            Question::Topic(_) => body::<Lookup>(&answer.body, is_wrapped)?.producers,
            Question::Nodes => {
                let nodes = body::<LookupNodes>(&answer.body, is_wrapped)?.producers;
                nodes.into_iter().map(|node| node.producer).collect()
            }
        };
        Ok(Answer { nodes: producers.iter().filter_map(address).collect(), index })
    }
}

/// An old nsqlookupd wraps what it says; a proxy may have dropped the header of a new one.
fn body<T: DeserializeOwned>(bytes: &[u8], is_wrapped: bool) -> Result<T, serde_json::Error> {
    if is_wrapped && let Ok(wrapped) = serde_json::from_slice::<Wrapped<T>>(bytes) {
        return Ok(wrapped.data);
    }
    serde_json::from_slice(bytes)
}

/// Where to connect to; none if that cannot be an address.
fn address(producer: &Producer) -> Option<String> {
    let port = u16::try_from(producer.tcp_port).ok().filter(|&port| port > 0)?;
    let host = producer.broadcast_address.as_str();
    let is_host = |byte: u8| byte.is_ascii_graphic() && !b"/@?#[]\\\"".contains(&byte);
    if host.is_empty() || host.len() > 255 || !host.bytes().all(is_host) {
        return None;
    }
    let is_ipv6 = host.contains(':');
    Some(if is_ipv6 { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str, question: Question) -> Option<String> {
        let lookupd =
            Lookupd::new(String::new(), address, question, &Config::default(), None).ok()?;
        Some(lookupd.url)
    }

    #[test]
    fn addresses_become_urls() {
        let topic = || Question::Topic("a#ephemeral".to_owned());
        for (address, expected) in [
            ("h:4161", Some("http://h:4161/lookup?topic=a%23ephemeral")),
            ("http://h:4161/", Some("http://h:4161/lookup?topic=a%23ephemeral")),
            ("http://h:4161/own/path", Some("http://h:4161/own/path?topic=a%23ephemeral")),
            ("h:1?x=y", Some("http://h:1/lookup?x=y&topic=a%23ephemeral")),
            ("ftp://h:1", None),
            ("a b:1", None),
            ("", None),
        ] {
            assert_eq!(url(address, topic()).as_deref(), expected, "{address}");
        }
        assert_eq!(url("h:1", Question::Nodes).as_deref(), Some("http://h:1/nodes"));
    }

    #[test]
    fn only_what_can_be_an_address_is_one() {
        for (host, port, expected) in [
            ("h", 4150, Some("h:4150")),
            ("::1", 4150, Some("[::1]:4150")),
            ("h", 0, None),
            ("h", 65536, None),
            ("h", -1, None),
            ("", 1, None),
            ("a b", 1, None),
            ("a/b", 1, None),
            ("user@h", 1, None),
        ] {
            let broadcast_address = host.to_owned();
            let producer = Producer { broadcast_address, tcp_port: port, ..Producer::default() };
            assert_eq!(address(&producer).as_deref(), expected, "{host} {port}");
        }
    }

    #[test]
    fn old_answers_are_wrapped() {
        let plain = br#"{"producers":[{"broadcast_address":"h","tcp_port":1}]}"#;
        let wrapped = br#"{"status_code":200,"data":{"producers":[{"broadcast_address":"h"}]}}"#;
        for (bytes, is_wrapped) in [(&plain[..], false), (&plain[..], true), (&wrapped[..], true)] {
            let lookup: Lookup = body(bytes, is_wrapped).expect("JSON");
            assert_eq!(lookup.producers.len(), 1);
        }
        assert!(body::<Lookup>(b"<html>", true).is_err());
    }
}
