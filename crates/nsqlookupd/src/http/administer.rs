//! Creating, deleting and hiding topics and channels.

use std::sync::Arc;

use nsq_app::http::{Answer, Failure, HandlerResult, Query, Request};
use nsq_proto::{ChannelName, TopicName};

use crate::daemon::Daemon;

pub(super) async fn create_topic(daemon: Arc<Daemon>, request: Request) -> HandlerResult {
    let topic = topic_name(&request.query()?)?;
    daemon.log.info(format_args!("DB: adding topic({topic})"));
    daemon.registry.create_topic(&topic);
    Ok(Answer::empty())
}

pub(super) async fn delete_topic(daemon: Arc<Daemon>, request: Request) -> HandlerResult {
    // Go NSQ takes any name here, and `*` for all topics.
    let topic = topic_name(&request.query()?)?;
    let deleted = daemon.registry.delete_topic(&topic);
    for channel in deleted.channels {
        daemon.log.info(format_args!("DB: removing channel({channel}) from topic({topic})"));
    }
    if deleted.topic {
        daemon.log.info(format_args!("DB: removing topic({topic})"));
    }
    Ok(Answer::empty())
}

pub(super) async fn tombstone(daemon: Arc<Daemon>, request: Request) -> HandlerResult {
    let query = request.query()?;
    let topic = query.first("topic").ok_or(Failure::bad_request("MISSING_ARG_TOPIC"))?;
    let node = query.first("node").ok_or(Failure::bad_request("MISSING_ARG_NODE"))?;
    daemon.log.info(format_args!("DB: setting tombstone for producer@{node} of topic({topic})"));
    // A bad name is one that nobody has.
    if let Ok(topic) = TopicName::parse(topic.as_bytes()) {
        daemon.registry.tombstone(&topic, &node, daemon.clock.now_ns());
    }
    Ok(Answer::empty())
}

pub(super) async fn create_channel(daemon: Arc<Daemon>, request: Request) -> HandlerResult {
    let (topic, channel) = topic_and_channel(&request.query()?)?;
    daemon.log.info(format_args!("DB: adding channel({channel}) in topic({topic})"));
    let created = daemon.registry.create_channel(&topic, &channel);
    if created.topic {
        daemon.log.info(format_args!("DB: adding topic({topic})"));
    }
    Ok(Answer::empty())
}

pub(super) async fn delete_channel(daemon: Arc<Daemon>, request: Request) -> HandlerResult {
    let (topic, channel) = topic_and_channel(&request.query()?)?;
    if !daemon.registry.delete_channel(&topic, &channel) {
        return Err(Failure::not_found("CHANNEL_NOT_FOUND"));
    }
    daemon.log.info(format_args!("DB: removing channel({channel}) from topic({topic})"));
    Ok(Answer::empty())
}

fn topic_name(query: &Query<'_>) -> Result<TopicName, Failure> {
    let name = query.first("topic").ok_or(Failure::bad_request("MISSING_ARG_TOPIC"))?;
    TopicName::parse(name.as_bytes()).map_err(|_| Failure::bad_request("INVALID_ARG_TOPIC"))
}

fn topic_and_channel(query: &Query<'_>) -> Result<(TopicName, ChannelName), Failure> {
    let topic = topic_name(query)?;
    let name = query.first("channel").ok_or(Failure::bad_request("MISSING_ARG_CHANNEL"))?;
    let channel = ChannelName::parse(name.as_bytes());
    Ok((topic, channel.map_err(|_| Failure::bad_request("INVALID_ARG_CHANNEL"))?))
}
