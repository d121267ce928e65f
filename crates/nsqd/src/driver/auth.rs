//! What a client may do: AUTH, and the check of each command that needs it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use nsq_api::to_json;
use nsq_app::nanoseconds;
use nsq_proto::{ChannelName, ProtocolError, TopicName, Verb, frame};
use serde::Serialize;

use super::{Driver, End};
use crate::auth::{Authorizations, Claim, Secret};
use crate::channel::wake;
use crate::client::Identity;

/// What an auth server said of the client, until it has to be asked again.
#[derive(Debug)]
pub(super) struct Authorized {
    secret: Secret,
    authorizations: Authorizations,
    expires_ns: i64,
    /// The topic that it was last permitted to publish to.
    publishes_to: Option<TopicName>,
}

impl Authorized {
    fn new(secret: Secret, authorizations: Authorizations, now_ns: i64) -> Self {
        let expires_ns = now_ns.saturating_add(nanoseconds(authorizations.ttl));
        Self { secret, authorizations, expires_ns, publishes_to: None }
    }

    /// Whether the last topic that was permitted is this one, so that nothing has to be matched.
    pub(super) fn still_permits(&self, topic: &TopicName, now_ns: i64) -> bool {
        self.publishes_to.as_ref() == Some(topic) && now_ns < self.expires_ns
    }

    fn permits(&mut self, topic: &TopicName, channel: Option<&ChannelName>) -> bool {
        let permitted = self.authorizations.permits(topic, channel);
        if permitted && channel.is_none() {
            self.publishes_to = Some(topic.clone());
        }
        permitted
    }
}

/// The answer to AUTH, in the order of the wire.
#[derive(Serialize)]
struct AuthAnswer<'a> {
    identity: &'a str,
    identity_url: &'a str,
    permission_count: usize,
}

impl Driver {
    /// AUTH.
    pub(super) async fn authenticate(&mut self, secret: Secret) -> Result<(), End> {
        if self.authorized.is_some() {
            return Err(End::Error(ProtocolError::auth_already_set()));
        }
        if self.node.credentials.auth.is_none() {
            return Err(End::Error(ProtocolError::auth_disabled()));
        }
        let authorizations = self.ask_auth_servers(&secret).await?;
        if authorizations.count() == 0 {
            return Err(End::Error(ProtocolError::no_authorizations()));
        }
        let answer = AuthAnswer {
            identity: &authorizations.identity,
            identity_url: &authorizations.identity_url,
            permission_count: authorizations.count(),
        };
        let json = to_json(&answer).expect("two strings and a number encode");
        frame::response(&mut self.output, &json);
        self.keep(secret, authorizations);
        Ok(())
    }

    /// Refuses what the client may not do. What an auth server said some time ago is asked for
    /// again.
    pub(super) async fn authorize(
        &mut self,
        verb: Verb,
        topic: &TopicName,
        channel: Option<&ChannelName>,
    ) -> Result<(), End> {
        if self.node.credentials.auth.is_none() {
            return Ok(());
        }
        let Some(authorized) = &self.authorized else {
            return Err(End::Error(ProtocolError::auth_first(verb)));
        };
        if self.node.clock.now_ns() >= authorized.expires_ns {
            let secret = authorized.secret.clone();
            let authorizations = self.ask_auth_servers(&secret).await?;
            self.keep(secret, authorizations);
        }
        let authorized = self.authorized.as_mut();
        if authorized.is_some_and(|authorized| authorized.permits(topic, channel)) {
            return Ok(());
        }
        Err(End::Error(ProtocolError::unauthorized(verb, topic, channel)))
    }

    /// The same for publishes to a topic, of which many follow each other.
    pub(super) async fn authorize_run(&mut self, verb: Verb, topic: &TopicName) -> Result<(), End> {
        let now_ns = self.node.clock.now_ns();
        match &self.authorized {
            Some(authorized) if authorized.still_permits(topic, now_ns) => Ok(()),
            _ => self.authorize(verb, topic, None).await,
        }
    }

    fn keep(&mut self, secret: Secret, authorizations: Authorizations) {
        let identity = Identity {
            name: authorizations.identity.clone(),
            url: authorizations.identity_url.clone(),
        };
        *self.client.identity.lock() = Some(Arc::new(identity));
        let now_ns = self.node.clock.now_ns();
        self.authorized = Some(Box::new(Authorized::new(secret, authorizations, now_ns)));
    }

    /// Waits for an auth server, unless the connection has to close. The client is told nothing of
    /// what went wrong.
    async fn ask_auth_servers(&mut self, secret: &Secret) -> Result<Authorizations, End> {
        // What was done already is answered before the wait.
        self.write().await?;
        let claim = self.claim(secret);
        let Self { node, client, subscribed, .. } = self;
        let Some(servers) = &node.credentials.auth else {
            return Err(End::Error(ProtocolError::auth_disabled()));
        };
        let closed = poll_fn(|context| match client.signal.poll(context) {
            Poll::Ready(woken) if woken.close => Poll::Ready(()),
            Poll::Ready(_) => {
                // Somebody else can have the message at once.
                if let Some(subscribed) = subscribed {
                    wake(subscribed.channel.broker.lock().decline(subscribed.key));
                }
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        });
        // Boxed, so that connections that do not wait have no room for it.
        let asked = Box::pin(servers.ask(&claim));
        let answer = tokio::select! {
            biased;
            () = closed => return Err(End::Silent),
            answer = asked => answer,
        };
        // Nobody listened to the client meanwhile; that was not its silence.
        self.deadlines.on_command(self.node.clock.now_ns());
        answer.map_err(|reason| {
            let address = self.client.address;
            self.node.log.warning(format_args!("PROTOCOL(V2): [{address}] AUTH failed - {reason}"));
            End::Error(ProtocolError::auth_failed())
        })
    }

    fn claim(&self, secret: &Secret) -> Claim {
        let tls = self.client.tls.get();
        Claim {
            remote_ip: self.client.address.ip().map(|ip| ip.to_string()).unwrap_or_default(),
            is_tls: tls.is_some(),
            common_name: tls.map(|facts| facts.common_name.clone()).unwrap_or_default(),
            secret: secret.clone(),
        }
    }
}
