//! Publishing one message over HTTP.

use bytes::Bytes;

use super::ask::{failure, post_bytes};
use super::{Cluster, Failure, Node, Order};
use crate::RequestError;

/// What nsqd answers when it has the message.
const TAKEN: &[u8] = b"OK";

impl Cluster {
    /// Publishes to one node. nsqd creates a topic that it does not have.
    ///
    /// # Errors
    ///
    /// When the node did not say that it has the message. Only after a refusal
    /// ([`RequestError::is_refusal`]) it certainly has not.
    pub async fn publish(
        &self,
        node: &Node,
        topic: &str,
        defer_ms: Option<u64>,
        body: &Bytes,
    ) -> Result<(), Failure> {
        let defer = defer_ms.map(|defer_ms| defer_ms.to_string());
        let mut arguments = vec![("topic", topic)];
        arguments.extend(defer.as_deref().map(|defer| ("defer", defer)));
        let target = Order { path: "/pub", arguments: &arguments }.target();
        let answer = post_bytes(&self.client, &node.address, &target, body).await;
        let taken = answer.and_then(|answer| {
            let (status, said) = (answer.status, answer.body.clone());
            answer.success()?;
            if said == TAKEN {
                return Ok(());
            }
            let said = String::from_utf8_lossy(&said).chars().take(200).collect();
            Err(RequestError::Status(status, said))
        });
        taken.map_err(|error| failure("Post", &node.address, &target, error))
    }
}
