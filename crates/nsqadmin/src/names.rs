//! Names of topics and channels in requests: checked, so that `*` is none.

use nsq_app::http::{Failure, Request};
use nsq_proto::{ChannelName, TopicName};

/// A topic that is to be changed.
///
/// # Errors
///
/// `400 INVALID_TOPIC`
pub(crate) fn topic(name: &str) -> Result<TopicName, Failure> {
    TopicName::parse(name.as_bytes()).map_err(|_| Failure::bad_request("INVALID_TOPIC"))
}

/// A channel that is to be changed.
///
/// # Errors
///
/// `400 INVALID_CHANNEL`
pub(crate) fn channel(name: &str) -> Result<ChannelName, Failure> {
    ChannelName::parse(name.as_bytes()).map_err(|_| Failure::bad_request("INVALID_CHANNEL"))
}

/// The topic in the path.
///
/// # Errors
///
/// `400 INVALID_TOPIC`
pub(crate) fn topic_of(request: &Request) -> Result<TopicName, Failure> {
    topic(request.parameter().unwrap_or_default())
}

/// The topic and the channel in the path.
///
/// # Errors
///
/// `400 INVALID_TOPIC`, `400 INVALID_CHANNEL`
pub(crate) fn channel_of(request: &Request) -> Result<(TopicName, ChannelName), Failure> {
    let (topic_name, channel_name) = request.two_parameters().unwrap_or_default();
    Ok((topic(topic_name)?, channel(channel_name)?))
}
