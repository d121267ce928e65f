//! The nodes that serve a topic.

use nsq_api::cluster::{Cluster, Daemons, Node};
use nsq_app::http::Failure;

use crate::upstream::{Warnings, failed_or_not_found};

/// None for a topic that an nsqlookupd knows and no nsqd serves.
///
/// # Errors
///
/// `404 TOPIC_NOT_FOUND` if nobody knows the topic; `502` if nobody answered.
pub(super) async fn topic_nodes(
    cluster: &Cluster,
    topic: &str,
    warnings: &mut Warnings,
) -> Result<Vec<Node>, Failure> {
    const NOT_FOUND: &str = "TOPIC_NOT_FOUND";
    let found = warnings.take(cluster.topic_nodes(topic).await);
    let nodes = found.map_err(|none| failed_or_not_found(none, NOT_FOUND))?;
    if nodes.is_empty() && cluster.entry() == Daemons::Nsqds {
        return Err(warnings.not_found(NOT_FOUND));
    }
    Ok(nodes)
}
