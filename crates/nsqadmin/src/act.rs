//! What can be done to the cluster, by the API and by the forms of pages.

use nsq_api::cluster::{Cluster, Daemons, Node, Order};
use nsq_app::http::{Failure, Request};
use nsq_proto::{ChannelName, TopicName};

use crate::access::admit;
use crate::admin::Admin;
use crate::ask::{known_node, topic_nodes};
use crate::notification::Origin;
use crate::publication::{Publication, Published};
use crate::upstream::{Warnings, failed, failed_or_not_found};

/// Somebody who may change things. Each action answers with the warnings about who did not obey,
/// and is notified of when it was done.
pub(crate) struct Actor<'a> {
    admin: &'a Admin,
    origin: Origin,
}

/// What can be done to a topic and to a channel, and be undone, but for emptying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Pause,
    Unpause,
    Empty,
}

impl<'a> Actor<'a> {
    /// Whoever sent the request.
    ///
    /// # Errors
    ///
    /// `403 FORBIDDEN` to those who may not change things.
    pub(crate) fn admitted(admin: &'a Admin, request: &Request) -> Result<Self, Failure> {
        admit(&admin.options, request.headers())?;
        Ok(Self { admin, origin: Origin::of(request) })
    }

    /// Creates a topic, and a channel of it if one is named.
    ///
    /// # Errors
    ///
    /// `502` if nobody obeyed.
    pub(crate) async fn create(
        &self,
        topic: &TopicName,
        channel: Option<&ChannelName>,
    ) -> Result<Warnings, Failure> {
        let topic = topic.to_string();
        let (cluster, mut warnings) = (self.admin.cluster(), Warnings::default());
        let order = Order { path: "/topic/create", arguments: &[("topic", &topic)] };
        warnings.take(cluster.tell_entry(order).await).map_err(failed)?;
        self.admin.notify(|| self.origin.topic("create_topic", &topic));
        if let Some(channel) = channel {
            let channel = channel.to_string();
            create_channel(&cluster, &topic, &channel, &mut warnings).await?;
            self.admin.notify(|| self.origin.channel("create_channel", &topic, &channel));
        }
        Ok(warnings)
    }

    /// Pauses, unpauses or empties a topic.
    ///
    /// # Errors
    ///
    /// `404 TOPIC_NOT_FOUND`; `502` if nobody obeyed.
    pub(crate) async fn topic(
        &self,
        topic: &TopicName,
        action: Action,
    ) -> Result<Warnings, Failure> {
        let topic = topic.to_string();
        let (cluster, mut warnings) = (self.admin.cluster(), Warnings::default());
        let nodes = serving_nodes(&cluster, &topic, &mut warnings).await?;
        let (path, name) = action.of_topic();
        let arguments = [("topic", &*topic)];
        let told = cluster.tell_nodes(&nodes, Order { path, arguments: &arguments }).await;
        let told = warnings.take(told);
        told.map_err(|none| failed_or_not_found(none, "TOPIC_NOT_FOUND"))?;
        self.admin.notify(|| self.origin.topic(name, &topic));
        Ok(warnings)
    }

    /// Pauses, unpauses or empties a channel.
    ///
    /// # Errors
    ///
    /// `404 TOPIC_NOT_FOUND`, `404 CHANNEL_NOT_FOUND`; `502` if nobody obeyed.
    pub(crate) async fn channel(
        &self,
        (topic, channel): (&TopicName, &ChannelName),
        action: Action,
    ) -> Result<Warnings, Failure> {
        let (topic, channel) = (topic.to_string(), channel.to_string());
        let (cluster, mut warnings) = (self.admin.cluster(), Warnings::default());
        let nodes = serving_nodes(&cluster, &topic, &mut warnings).await?;
        let (path, name) = action.of_channel();
        let arguments = [("topic", &*topic), ("channel", &*channel)];
        let told = cluster.tell_nodes(&nodes, Order { path, arguments: &arguments }).await;
        let told = warnings.take(told);
        told.map_err(|none| failed_or_not_found(none, "CHANNEL_NOT_FOUND"))?;
        self.admin.notify(|| self.origin.channel(name, &topic, &channel));
        Ok(warnings)
    }

    /// Deletes a topic with all its channels and messages.
    ///
    /// # Errors
    ///
    /// `404 TOPIC_NOT_FOUND`; `502` if nobody obeyed.
    pub(crate) async fn delete_topic(&self, topic: &TopicName) -> Result<Warnings, Failure> {
        let topic = topic.to_string();
        let order = Order { path: "/topic/delete", arguments: &[("topic", &topic)] };
        let warnings = delete(&self.admin.cluster(), &topic, order, "TOPIC_NOT_FOUND").await?;
        self.admin.notify(|| self.origin.topic("delete_topic", &topic));
        Ok(warnings)
    }

    /// Deletes a channel with its messages.
    ///
    /// # Errors
    ///
    /// `404 TOPIC_NOT_FOUND`, `404 CHANNEL_NOT_FOUND`; `502` if nobody obeyed.
    pub(crate) async fn delete_channel(
        &self,
        topic: &TopicName,
        channel: &ChannelName,
    ) -> Result<Warnings, Failure> {
        let (topic, channel) = (topic.to_string(), channel.to_string());
        let arguments = [("topic", &*topic), ("channel", &*channel)];
        let order = Order { path: "/channel/delete", arguments: &arguments };
        let warnings = delete(&self.admin.cluster(), &topic, order, "CHANNEL_NOT_FOUND").await?;
        self.admin.notify(|| self.origin.channel("delete_channel", &topic, &channel));
        Ok(warnings)
    }

    /// Hides a node from consumers of a topic, and deletes the topic there.
    ///
    /// # Errors
    ///
    /// `404 NODE_NOT_FOUND`; `502` if nobody obeyed.
    pub(crate) async fn tombstone(
        &self,
        node_name: &str,
        topic: &TopicName,
    ) -> Result<Warnings, Failure> {
        let topic = topic.to_string();
        let (cluster, mut warnings) = (self.admin.cluster(), Warnings::default());
        // Only a node of the cluster: this must not send requests to anybody.
        let node = known_node(&cluster, node_name, &mut warnings).await?;
        if cluster.entry() == Daemons::Lookupds {
            let address = node.http_address();
            let arguments = [("topic", &*topic), ("node", &*address)];
            let order = Order { path: "/topic/tombstone", arguments: &arguments };
            warnings.take(cluster.tell_entry(order).await).map_err(failed)?;
        }
        let order = Order { path: "/topic/delete", arguments: &[("topic", &topic)] };
        // A node that does not have the topic is as it should be.
        warnings.take_deletion(cluster.tell_nodes(&[node], order).await).map_err(failed)?;
        self.admin.notify(|| self.origin.node("tombstone_topic_producer", &topic, node_name));
        Ok(warnings)
    }

    /// Publishes a message.
    ///
    /// # Errors
    ///
    /// `404 TOPIC_NOT_FOUND`, `404 NODE_NOT_FOUND`; `502` if nobody said that it has the message.
    pub(crate) async fn publish(&self, message: &Publication) -> Result<Published, Failure> {
        message.publish(self.admin, &self.origin).await
    }
}

/// The nodes that serve a topic, of which there must be one.
async fn serving_nodes(
    cluster: &Cluster,
    topic: &str,
    warnings: &mut Warnings,
) -> Result<Vec<Node>, Failure> {
    let nodes = topic_nodes(cluster, topic, warnings).await?;
    if nodes.is_empty() { Err(warnings.not_found("TOPIC_NOT_FOUND")) } else { Ok(nodes) }
}

async fn create_channel(
    cluster: &Cluster,
    topic: &str,
    channel: &str,
    warnings: &mut Warnings,
) -> Result<(), Failure> {
    let arguments = [("topic", topic), ("channel", channel)];
    let order = Order { path: "/channel/create", arguments: &arguments };
    warnings.take(cluster.tell_entry(order).await).map_err(failed)?;
    if cluster.entry() == Daemons::Nsqds {
        return Ok(());
    }
    let nodes = topic_nodes(cluster, topic, warnings).await?;
    if !nodes.is_empty() {
        warnings.take(cluster.tell_nodes(&nodes, order).await).map_err(failed)?;
    }
    Ok(())
}

/// First from nsqlookupd, so that no consumer finds it there and creates it anew.
async fn delete(
    cluster: &Cluster,
    topic: &str,
    order: Order<'_>,
    not_found: &'static str,
) -> Result<Warnings, Failure> {
    let mut warnings = Warnings::default();
    let nodes = topic_nodes(cluster, topic, &mut warnings).await?;
    let mut was_known = false;
    if cluster.entry() == Daemons::Lookupds {
        let told = cluster.tell_entry(order).await;
        was_known = warnings.take_deletion(told).map_err(failed)?;
    }
    if !nodes.is_empty() {
        let told = cluster.tell_nodes(&nodes, order).await;
        was_known |= warnings.take_deletion(told).map_err(failed)?;
    }
    if was_known { Ok(warnings) } else { Err(Failure::not_found(not_found)) }
}

impl Action {
    /// By its name in requests.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "pause" => Some(Self::Pause),
            "unpause" => Some(Self::Unpause),
            "empty" => Some(Self::Empty),
            _ => None,
        }
    }

    /// The path on nsqd, and what it is called in a notification.
    fn of_topic(self) -> (&'static str, &'static str) {
        match self {
            Self::Pause => ("/topic/pause", "pause_topic"),
            Self::Unpause => ("/topic/unpause", "unpause_topic"),
            Self::Empty => ("/topic/empty", "empty_topic"),
        }
    }

    /// The same for a channel.
    fn of_channel(self) -> (&'static str, &'static str) {
        match self {
            Self::Pause => ("/channel/pause", "pause_channel"),
            Self::Unpause => ("/channel/unpause", "unpause_channel"),
            Self::Empty => ("/channel/empty", "empty_channel"),
        }
    }
}
