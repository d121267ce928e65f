//! Telling many daemons to do the same.

use super::ask::{post, query_value};
use super::gathered::gather;
use super::{Cluster, Daemons, Gathered, Node};

/// Something that a daemon is told to do, with a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order<'a> {
    /// For instance `/topic/create`.
    pub path: &'a str,
    /// Names and values of its query, not escaped.
    pub arguments: &'a [(&'a str, &'a str)],
}

impl Order<'_> {
    pub(super) fn target(&self) -> String {
        let arguments = self.arguments.iter().zip(["?"].into_iter().chain(std::iter::repeat("&")));
        let arguments =
            arguments.map(|((name, value), mark)| format!("{mark}{name}={}", query_value(value)));
        std::iter::once(self.path.to_owned()).chain(arguments).collect()
    }
}

impl Cluster {
    /// Whether the nodes are those that nsqlookupds know, or are given.
    #[must_use]
    pub fn entry(&self) -> Daemons {
        self.entry
    }

    /// Tells all daemons whose addresses were given: nsqlookupds, or nsqds.
    pub async fn tell_entry(&self, order: Order<'_>) -> Gathered<()> {
        self.tell(self.entry, &self.addresses, order).await
    }

    /// Tells these nodes.
    pub async fn tell_nodes(&self, nodes: &[Node], order: Order<'_>) -> Gathered<()> {
        let addresses: Vec<_> = nodes.iter().map(|node| node.address.clone()).collect();
        self.tell(Daemons::Nsqds, &addresses, order).await
    }

    async fn tell(&self, daemons: Daemons, to: &[String], order: Order<'_>) -> Gathered<()> {
        let target = order.target();
        let told = gather(daemons, to, |address| {
            let (client, target) = (self.client.clone(), target.clone());
            async move { post(&client, &address, &target).await }
        });
        told.await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn targets() {
        let target = |arguments| Order { path: "/topic/create", arguments }.target();
        assert_eq!(target(&[]), "/topic/create");
        assert_eq!(target(&[("topic", "t#ephemeral")]), "/topic/create?topic=t%23ephemeral");
        assert_eq!(target(&[("topic", "t"), ("channel", "c")]), "/topic/create?topic=t&channel=c");
    }
}
