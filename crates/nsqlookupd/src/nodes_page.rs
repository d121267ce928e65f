//! `/nodes`: the longest list, and the one that is asked for again and again.

use nsq_api::{LookupNode, LookupNodes, to_json};
use nsq_app::Clock;
use parking_lot::Mutex;

use crate::http::producer;
use crate::poll::View;
use crate::registry::{Node, NodesView, SharedRegistry};

/// The list as it was last asked for. With a million registrations it takes a second to make, so
/// whoever asks while nothing changes, or waits for the same change, gets the same one.
#[derive(Debug, Default)]
pub(crate) struct NodesPage {
    last: Mutex<Option<Page>>,
}

#[derive(Debug)]
struct Page {
    /// What the registry had counted before the list was made.
    changes: u64,
    view: View,
}

impl NodesPage {
    /// The list as it is now.
    pub(crate) fn view(&self, registry: &SharedRegistry, clock: &Clock) -> View {
        let mut last = self.last.lock();
        let (changes, now_ns) = (*registry.changes_of_nodes().borrow(), clock.now_ns());
        let is_current = |page: &&Page| page.changes == changes && page.view.holds_at(now_ns);
        if let Some(page) = last.as_ref().filter(is_current) {
            return page.view.clone();
        }
        // Two of them need not be in memory at once.
        *last = None;
        let view = view_of(registry.nodes(now_ns));
        *last = Some(Page { changes, view: view.clone() });
        view
    }
}

fn view_of(found: NodesView) -> View {
    let NodesView { nodes, changes_at_ns } = found;
    let nodes = LookupNodes { producers: nodes.into_iter().map(node).collect() };
    View::new(to_json(&nodes).expect("text and numbers"), changes_at_ns)
}

fn node(node: Node) -> LookupNode {
    LookupNode {
        producer: producer(&node.peer),
        tombstones: node.topics.iter().map(|(_, is_hidden)| *is_hidden).collect(),
        topics: node.topics.iter().map(|(name, _)| name.to_string()).collect(),
    }
}
