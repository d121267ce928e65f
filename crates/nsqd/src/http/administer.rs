//! Creating, deleting, emptying and pausing topics and channels.

use std::sync::Arc;

use nsq_app::http::{Answer, Failure, HandlerResult, Request};

use super::{Endpoints, existing_channel, topic_and_channel, topic_name};
use crate::channel::wake;
use crate::keeper;
use crate::topic::Topic;

pub(super) async fn create_topic(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let name = topic_name(&request.query()?, "INVALID_TOPIC")?;
    endpoints.node.topic_soon(&name).await.map_err(|_| Failure::internal())?;
    Ok(Answer::empty())
}

pub(super) async fn delete_topic(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let topic = named_topic(&endpoints, &request)?;
    let node = Arc::clone(&endpoints.node);
    let deleted = Arc::clone(&topic);
    blocking(move || node.delete_topic(&deleted.name)).await?;
    persist(&endpoints, &topic).await
}

pub(super) async fn empty_topic(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let name = topic_name(&request.query()?, "INVALID_TOPIC")?;
    let topic = endpoints.node.existing_topic(name.as_str());
    let topic = topic.ok_or(Failure::not_found("TOPIC_NOT_FOUND"))?;
    topic.empty();
    record(topic).await?;
    Ok(Answer::empty())
}

pub(super) async fn pause_topic(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let topic = named_topic(&endpoints, &request)?;
    topic.pause();
    record(Arc::clone(&topic)).await?;
    persist(&endpoints, &topic).await
}

pub(super) async fn unpause_topic(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let topic = named_topic(&endpoints, &request)?;
    topic.unpause();
    persist(&endpoints, &topic).await
}

pub(super) async fn create_channel(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let (topic, name) = topic_and_channel(&endpoints.node, &request.query()?)?;
    let created = blocking(move || topic.channel(&name).map(drop)).await?;
    created.map_err(|_| Failure::internal())?;
    Ok(Answer::empty())
}

pub(super) async fn delete_channel(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let (topic, channel) = existing_channel(&endpoints.node, &request.query()?)?;
    let of = Arc::clone(&topic);
    blocking(move || of.delete_channel(&channel.name)).await?;
    persist(&endpoints, &topic).await
}

pub(super) async fn empty_channel(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let (topic, channel) = existing_channel(&endpoints.node, &request.query()?)?;
    let consumers = channel.broker.lock().empty();
    wake(consumers);
    record(topic).await?;
    Ok(Answer::empty())
}

pub(super) async fn pause_channel(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let (topic, channel) = existing_channel(&endpoints.node, &request.query()?)?;
    channel.broker.lock().pause();
    persist(&endpoints, &topic).await
}

pub(super) async fn unpause_channel(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let (topic, channel) = existing_channel(&endpoints.node, &request.query()?)?;
    let consumers = channel.broker.lock().unpause();
    wake(consumers);
    persist(&endpoints, &topic).await
}

/// The topic that `topic` names. Here a bad name is one that nobody has.
fn named_topic(endpoints: &Endpoints, request: &Request) -> Result<Arc<Topic>, Failure> {
    let query = request.query()?;
    let name = query.first("topic").ok_or(Failure::bad_request("MISSING_ARG_TOPIC"))?;
    endpoints.node.existing_topic(&name).ok_or(Failure::not_found("TOPIC_NOT_FOUND"))
}

/// Writes the state of the topic's channels down, so that what was emptied or held back stays so
/// after a crash.
async fn record(topic: Arc<Topic>) -> Result<(), Failure> {
    let recorded = blocking(move || {
        let recorded = keeper::record(&topic);
        topic.node.health.note(&recorded);
        recorded
    });
    recorded.await?.map_err(|_| Failure::internal())
}

/// Writes `nsqd.dat` before the answer. As in Go NSQ a failure is only logged.
async fn persist(endpoints: &Endpoints, topic: &Topic) -> HandlerResult {
    let node = Arc::clone(&endpoints.node);
    node.metadata_changed(&topic.name);
    blocking(move || {
        if let Err(error) = node.store_metadata() {
            node.log.error(format_args!("failed to persist metadata - {error}"));
        }
    })
    .await?;
    Ok(Answer::empty())
}

/// Does what waits for the disk on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::internal())
}
