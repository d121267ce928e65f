//! Graphs that graphite draws: where browsers find them, and handing them on.

use std::time::Duration;

use nsq_api::{HeaderMap, HttpAnswer, HttpClient, RequestError};
use nsq_app::Logger;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::graphite::{Graphite, Keys, Picture, Size};
use crate::options::Options;

/// More than any picture has, and a fair amount of numbers.
const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// How many answers of graphite are handed on at once; the others wait. A page with graphs asks
/// for many.
const ANSWERS_MAX: usize = 16;

/// What is known of graphs from the start on.
#[derive(Debug)]
pub(crate) struct Graphs {
    graphite: Graphite,
    keys: Keys,
    interval_s: u64,
    is_proxied: bool,
    /// Where browsers ask.
    render_url: String,
    answers: Semaphore,
}

/// Why graphite's answer cannot be handed on.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// There are too many others who wait.
    Busy,
    /// The query is none.
    Malformed,
    Failed(RequestError),
}

impl Graphs {
    /// What the flags say; none without graphite. What will not work is said in the log: Go NSQ
    /// starts with any URL, too.
    pub(crate) fn of(options: &Options, log: &Logger) -> Option<Self> {
        if options.graphite_url.is_empty() {
            return None;
        }
        let is_proxied = options.proxy_graphite;
        // The text of the error would have the password.
        let Ok(graphite) = Graphite::parse(&options.graphite_url) else {
            log.warning(format_args!(
                "GRAPHITE: there are no graphs: --graphite-url is no URL of HTTP or HTTPS"
            ));
            return None;
        };
        if !is_proxied && graphite.has_password() {
            log.warning(format_args!(
                "GRAPHITE: user and password of --graphite-url are of use only with \
                 --proxy-graphite: browsers are not told them"
            ));
        }
        if !is_proxied && graphite.origin().contains('[') {
            log.warning(format_args!(
                "GRAPHITE: browsers show no graphs from an IPv6 address: give --graphite-url a \
                 name, or --proxy-graphite"
            ));
        }
        let render_url = if is_proxied {
            format!("{}/render", options.base_path().trim_end_matches('/'))
        } else {
            graphite.render_url()
        };
        Some(Self {
            graphite,
            keys: Keys::new(options),
            // A shorter interval than a second cannot be asked for.
            interval_s: options.statsd_interval.as_secs().max(1),
            is_proxied,
            render_url,
            answers: Semaphore::new(ANSWERS_MAX),
        })
    }

    /// Whether browsers ask here for what graphite draws.
    pub(crate) fn is_proxied(&self) -> bool {
        self.is_proxied
    }

    /// Who has the pictures, if it is somebody else.
    pub(crate) fn other_origin(&self) -> Option<&str> {
        (!self.is_proxied).then(|| self.graphite.origin())
    }

    /// Where a picture is. `span` is how far back it reaches.
    pub(crate) fn link(&self, picture: &Picture<'_>, size: Size, span: &str) -> String {
        let query = picture.query(&self.keys, size, span, self.interval_s);
        format!("{}?{query}", self.render_url)
    }

    /// What graphite answers to a query.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub(crate) async fn answer(
        &self,
        client: &HttpClient,
        query: &str,
        headers: HeaderMap,
    ) -> Result<HttpAnswer, NoAnswer> {
        let wait: Duration = client.request_timeout;
        let Ok(Ok(_turn)) = timeout(wait, self.answers.acquire()).await else {
            return Err(NoAnswer::Busy);
        };
        let client = HttpClient { max_body_bytes: ANSWER_BYTES_MAX, ..client.clone() };
        let answer = self.graphite.answer(client, query, headers).await;
        answer.map_err(NoAnswer::Failed)?.ok_or(NoAnswer::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use nsq_app::LogLevel;

    use super::*;
    use crate::graphite::{Figure, Memory, Nodes, Series};

    fn graphs(url: &str, base: &str) -> Option<Graphs> {
        let options = Options {
            graphite_url: url.to_owned(),
            proxy_graphite: !base.is_empty(),
            base_path: base.to_owned(),
            ..Options::default()
        };
        Graphs::of(&options, &Logger::to_stderr("", LogLevel::Fatal))
    }

    #[test]
    fn where_browsers_ask() {
        for (url, base, expected) in [
            ("http://g/", "", Some(("http://g/render", Some("http://g")))),
            ("https://u:p@g:1/a", "", Some(("https://g:1/a/render", Some("https://g:1")))),
            ("https://u:p@g:1/a", "/", Some(("/render", None))),
            ("https://u:p@g:1/a", "/b/c/", Some(("/b/c/render", None))),
            ("", "/", None),
            ("g", "", None),
        ] {
            let graphs = graphs(url, base);
            let found = graphs.as_ref().map(|graphs| (&*graphs.render_url, graphs.other_origin()));
            assert_eq!(found, expected, "{url} {base}");
        }
    }

    /// Nodes choose their names.
    #[test]
    fn no_name_leaves_its_place_in_a_link() {
        let graphs = graphs("http://g", "").expect("they are on");
        for name in ["\"><script>x</script>:1", "a&target=b:1", "a),b(\"c\",{d}:1", "é\r\n:1"] {
            for series in [Series::Memory(Memory::Bytes), Series::Topic(name, Figure::Depth)] {
                let picture = Picture { series, nodes: Nodes::One(name) };
                let link = graphs.link(&picture, Size::Large, "2h");
                let is_plain =
                    |byte: u8| byte.is_ascii_alphanumeric() || b":/?&=%-._~".contains(&byte);
                assert!(link.bytes().all(is_plain), "{link}");
                assert_eq!(link.matches("target=").count(), 1, "{link}");
                let closed = link.matches("%29").count();
                assert_eq!(closed, link.matches("%28").count(), "{link}");
                assert_eq!(link.matches("%22").count(), 4, "{link}");
            }
        }
    }
}
