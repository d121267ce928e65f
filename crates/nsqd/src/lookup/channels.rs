//! Asking which channels a new topic shall have.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nsq_api::{HttpClient, LookupChannels};
use nsq_proto::ChannelName;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::peer::Status;
use crate::node::Node;
use crate::topic::{PublishError, Topic};

/// How long a new daemon's first attempts to connect are waited for.
const SETTLING: Duration = Duration::from_secs(2);

impl Node {
    /// Whether new topics have to wait for what nsqlookupd knows of them.
    pub(crate) fn asks_for_channels(&self) -> bool {
        !self.lookup.peers.lock().list().is_empty()
    }

    /// Asks every nsqlookupd that can be reached, all at once, creates the channels that any of
    /// them knows, and lets the topic begin. Publishing does not wait for this: messages gather in
    /// the topic until then.
    pub(crate) async fn start_topic(self: Arc<Self>, topic: Arc<Topic>) {
        let names = self.channels_to_create(&topic).await;
        let creating = Arc::clone(&topic);
        let created = tokio::task::spawn_blocking(move || {
            for name in &names {
                create(&creating, name);
            }
        });
        // However that went, messages must not wait for ever.
        match created.await {
            Ok(()) | Err(_) => topic.start(),
        }
    }

    async fn channels_to_create(self: &Arc<Self>, topic: &Topic) -> BTreeSet<ChannelName> {
        let mut asking = JoinSet::new();
        for peer in self.lookup.all() {
            let (node, name) = (Arc::clone(self), topic.name.clone());
            asking.spawn(async move {
                let status = timeout(SETTLING, peer.settled()).await.unwrap_or(Status::Lost);
                let Status::Connected(info) = status else {
                    return Err(format!("{} is not connected", peer.address));
                };
                if peer.is_silent() {
                    return Err(format!("{} did not answer a moment ago", peer.address));
                }
                let access = &node.credentials.lookup;
                let client = HttpClient {
                    connect_timeout: node.options.http_client_connect_timeout,
                    request_timeout: node.options.http_client_request_timeout,
                    max_body_bytes: node.options.max_body_size,
                    tls: access.tls().cloned(),
                    authorization: access.authorization(),
                };
                let query = name.as_str().replace('#', "%23");
                let host = info.http_host();
                let target = format!("/channels?topic={query}");
                let list = client.get_json::<LookupChannels>(&host, &target).await;
                peer.note_answer(list.is_ok());
                list.map_err(|error| {
                    let scheme = access.scheme();
                    format!("{scheme}://{host}{target} - {error}")
                })
            });
        }
        let (mut names, mut answers, mut errors) = (BTreeSet::new(), 0, Vec::new());
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok(Ok(list)) => {
                    answers += 1;
                    let parsed =
                        list.channels.iter().map(|name| ChannelName::parse(name.as_bytes()));
                    names.extend(parsed.flatten().filter(|name| !name.is_ephemeral()));
                }
                Ok(Err(error)) => errors.push(error),
                Err(error) => errors.push(error.to_string()),
            }
        }
        let name = &topic.name;
        if answers == 0 {
            self.log.error(format_args!(
                "no available nsqlookupd to query for channels to pre-create for topic {name}"
            ));
        }
        if !errors.is_empty() {
            let errors = errors.join(", ");
            self.log.warning(format_args!(
                "failed to query nsqlookupd for channels to pre-create for topic {name} - {errors}"
            ));
        }
        names
    }
}

fn create(topic: &Topic, name: &ChannelName) {
    match topic.channel(name) {
        // A topic that is deleted meanwhile needs none.
        Ok(_) | Err(PublishError::Exiting) => {}
        Err(error) => {
            let topic_name = &topic.name;
            topic.node.log.warning(format_args!(
                "TOPIC({topic_name}): cannot create channel {name}, which nsqlookupd knows - \
                 {error}"
            ));
        }
    }
}
