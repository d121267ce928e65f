//! What is done with each message.

use std::sync::Arc;

use bytes::Bytes;
use nsq_client::{Handler, Message, Producer, PublishError};
use thiserror::Error;

use super::json_filter::{JsonFilter, Verdict};
use super::undecodable::{Undecodable, UndecodableMessages};
use crate::cli::say;
use crate::upstreams::Upstreams;

/// Publishes messages, whatever their topic was; a message is finished when its destination
/// answered `OK`.
pub(super) struct Publisher {
    /// One for each destination, in the order of the upstreams.
    pub(super) producers: Vec<Producer>,
    pub(super) upstreams: Upstreams,
    pub(super) filter: JsonFilter,
    pub(super) undecodable: UndecodableMessages,
}

/// The messages of one topic.
pub(super) struct TopicHandler {
    pub(super) publisher: Arc<Publisher>,
    pub(super) destination_topic: String,
}

/// Why a message is requeued.
#[derive(Debug, Error)]
pub(super) enum HandleError {
    #[error("{0}")]
    Publish(#[from] PublishError),
    #[error("missing field to check required value")]
    FieldMissing,
    #[error("unable to decode json")]
    Undecodable,
}

impl Handler for TopicHandler {
    type Error = HandleError;

    async fn handle(&self, message: &Message) -> Result<(), HandleError> {
        match self.publisher.body_for(message.body())? {
            Some(body) => Ok(self.publisher.publish(&self.destination_topic, body).await?),
            None => Ok(()),
        }
    }
}

impl Publisher {
    /// What is left of a message to publish, if it passes.
    fn body_for(&self, body: &Bytes) -> Result<Option<Bytes>, HandleError> {
        match self.filter.judge(body) {
            Verdict::Pass(body) => Ok(Some(body)),
            Verdict::Drop => Ok(None),
            Verdict::FieldMissing => {
                say(format_args!("ERROR: missing field to check required value"));
                Err(HandleError::FieldMissing)
            }
            Verdict::Undecodable => {
                self.undecodable.report(body);
                match self.undecodable.action {
                    Undecodable::Drop => Ok(None),
                    Undecodable::Requeue => Err(HandleError::Undecodable),
                    Undecodable::Pass => Ok(Some(body.clone())),
                }
            }
        }
    }

    /// There are as many of these at a time as messages in flight, so the producer makes one MPUB
    /// of what comes together.
    async fn publish(&self, topic: &str, body: Bytes) -> Result<(), PublishError> {
        let attempt = self.upstreams.pick();
        let result = self.producers[attempt.place].publish(topic, body).await;
        self.upstreams.mark(attempt, result.is_ok());
        // Failures count as well here, as in NSQ.
        self.upstreams.count(attempt);
        self.upstreams.count_total(attempt.took());
        result
    }
}
