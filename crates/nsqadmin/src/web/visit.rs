//! What all pages need to know of a request, and where their links lead.

use nsq_app::http::{Failure, Request};
use nsq_proto::ChannelName;

use super::graphs::GraphChoice;
use super::language::Language;
use super::token::Token;
use crate::access;
use crate::admin::Admin;

/// Somebody who looks at a page.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) language: Language,
    /// Whether what changes something is shown. Whether it is done is decided when it is asked for.
    pub(super) is_admin: bool,
    pub(super) token: Token,
    /// None if there are none.
    pub(super) graphs: Option<GraphChoice>,
    /// What was asked for: path and query, as sent.
    pub(super) target: String,
    /// Whether the browser came over HTTPS, as far as proxies tell.
    pub(super) is_https: bool,
    /// Where all paths begin, without a slash at the end.
    base: String,
}

impl Visit {
    pub(super) fn new(admin: &Admin, request: &Request) -> Result<Self, Failure> {
        let headers = request.headers();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let scheme = text("x-forwarded-proto").or(text("x-scheme"));
        let query = request.raw_query().map(|query| format!("?{query}"));
        Ok(Self {
            language: Language::of(headers),
            is_admin: access::is_admin(&admin.options, headers),
            token: Token::of(headers).map_err(|_| Failure::internal())?,
            graphs: GraphChoice::of(admin, request),
            target: format!("{}{}", request.path(), query.unwrap_or_default()),
            is_https: scheme == Some("https"),
            base: admin.options.base_path().trim_end_matches('/').to_owned(),
        })
    }

    /// What was asked for, without its query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A path of ours, which begins with a slash.
    pub(super) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The start page.
    pub(super) fn home(&self) -> String {
        self.link(if self.base.is_empty() { "/" } else { "" })
    }

    pub(super) fn topic(&self, topic: &str) -> String {
        self.link(&format!("/topics/{}", escaped(topic)))
    }

    pub(super) fn channel(&self, topic: &str, channel: &str) -> String {
        self.link(&format!("/topics/{}/{}", escaped(topic), escaped(channel)))
    }

    /// Where the messages of a topic are shown as they come.
    pub(super) fn tail(&self, topic: &str) -> String {
        self.link(&format!("/tail/{}", escaped(topic)))
    }

    /// By `address:port`.
    pub(super) fn node(&self, node: &str) -> String {
        self.link(&format!("/nodes/{}", escaped(node)))
    }

    /// Of what cookies are sent with.
    pub(super) fn cookie_path(&self) -> &str {
        if self.base.is_empty() { "/" } else { &self.base }
    }
}

/// As one element of a path, or as a value in a query.
pub(super) fn escaped(text: &str) -> String {
    nsq_api::cluster::query_value(text)
}

/// Whether messages of a channel are lost when its last consumer goes.
pub(super) fn is_ephemeral(name: &str) -> bool {
    ChannelName::parse(name.as_bytes()).is_ok_and(|name| name.is_ephemeral())
}
