//! What is told of an action.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nsq_app::http::{HeaderMap, Request};
use serde::Serialize;

/// The body of a notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Notification {
    action: &'static str,
    topic: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    channel: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    node: String,
    /// Seconds since 1970.
    timestamp: u64,
    /// By HTTP Basic authentication.
    #[serde(skip_serializing_if = "String::is_empty")]
    user: String,
    remote_ip: String,
    user_agent: String,
    url: String,
    via: String,
}

/// What the actions of one request have in common.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    user: String,
    remote_ip: String,
    user_agent: String,
    url: String,
}

impl Origin {
    pub(crate) fn of(request: &Request) -> Self {
        let headers = request.headers();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let scheme = if text("x-scheme") == Some("https") { "https" } else { "http" };
        let host = text("host").unwrap_or_default();
        Self {
            user: basic_user(headers).unwrap_or_default(),
            remote_ip: request.peer().to_string(),
            user_agent: text("user-agent").unwrap_or_default().to_owned(),
            url: format!("{scheme}://{host}{}", request.path()),
        }
    }

    /// That something was done to a topic.
    pub(crate) fn topic(&self, action: &'static str, topic: &str) -> Notification {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let Self { user, remote_ip, user_agent, url } = self.clone();
        Notification {
            action,
            topic: topic.to_owned(),
            channel: String::new(),
            node: String::new(),
            timestamp: since.map_or(0, |since| since.as_secs()),
            user,
            remote_ip,
            user_agent,
            url,
            via: nsq_app::host::name(),
        }
    }

    /// That something was done to a channel.
    pub(crate) fn channel(&self, action: &'static str, topic: &str, channel: &str) -> Notification {
        Notification { channel: channel.to_owned(), ..self.topic(action, topic) }
    }

    /// That something was done to a topic of a node.
    pub(crate) fn node(&self, action: &'static str, topic: &str, node: &str) -> Notification {
        Notification { node: node.to_owned(), ..self.topic(action, topic) }
    }
}

fn basic_user(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("authorization")?.to_str().ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let (user, _) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(user.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_basic_authentication() {
        for (value, expected) in [
            ("Basic Ym9iOnB3", Some("bob")),
            ("Basic Ym9i", None),
            ("Basic %%", None),
            ("Bearer Ym9iOnB3", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", value.parse().expect("a value"));
            assert_eq!(basic_user(&headers).as_deref(), expected, "{value}");
        }
    }
}
