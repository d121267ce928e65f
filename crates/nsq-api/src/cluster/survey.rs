//! Statistics of all nodes of a large cluster, without ever holding all of them.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::ask::get;
use super::gathered::{Gathered, go_on_panicking};
use super::node::of_distinct_addresses;
use super::{Cluster, Daemons, Failure, Node, StatsQuery};
use crate::{Info, Stats, host_port};

/// For how long nothing may come before another node is asked meanwhile.
const PATIENCE: Duration = Duration::from_millis(100);
/// How many are asked at once even then.
const ASKED_MAX: usize = 64;

impl Cluster {
    /// The nodes that [`survey`](Self::survey) can ask. Those whose addresses were given are not
    /// asked for it: of them, nothing else is known.
    pub async fn candidates(&self) -> Gathered<Vec<Node>> {
        match self.entry {
            Daemons::Lookupds => self.nodes().await,
            Daemons::Nsqds => {
                let nodes = self.addresses.iter().map(|address| {
                    let (host, port) = host_port::split(address);
                    Node {
                        address: address.clone(),
                        broadcast_address: host.to_owned(),
                        hostname: host.to_owned(),
                        http_port: port.parse().unwrap_or_default(),
                        ..Node::default()
                    }
                });
                Gathered::of_all(self.entry, nodes.collect())
            }
        }
    }

    /// Asks these nodes for all their statistics, without clients, `at_once` of them at a time and
    /// in their order, and hands over each answer as it comes. So not many more than `at_once`
    /// answers are held: only while nothing comes, more nodes are asked, up to 64, so that those
    /// which hang hold up nobody. A node that was not introduced by an nsqlookupd introduces
    /// itself. Each address is asked once.
    pub async fn survey(
        &self,
        nodes: impl IntoIterator<Item = Node>,
        at_once: usize,
        take: impl FnMut(Node, Result<Stats, Failure>),
    ) {
        self.survey_patiently(nodes, (at_once, PATIENCE), take).await;
    }

    async fn survey_patiently(
        &self,
        nodes: impl IntoIterator<Item = Node>,
        (at_once, patience): (usize, Duration),
        mut take: impl FnMut(Node, Result<Stats, Failure>),
    ) {
        let mut waiting = VecDeque::from(of_distinct_addresses(nodes));
        let mut asking = JoinSet::new();
        let mut room = at_once.max(1);
        loop {
            while asking.len() < room
                && let Some(node) = waiting.pop_front()
            {
                asking.spawn(self.clone().look_at(node));
            }
            match timeout(patience, asking.join_next()).await {
                Ok(Some(Ok((node, stats)))) => take(node, stats),
                Ok(Some(Err(error))) => go_on_panicking(error),
                Ok(None) => return,
                Err(_) => room = ASKED_MAX.min(room + 1),
            }
        }
    }

    async fn look_at(self, node: Node) -> (Node, Result<Stats, Failure>) {
        let target = StatsQuery::default().target();
        let stats = match get::<Stats>(&self.client, &node.address, &target).await {
            Ok(stats) => stats,
            Err(failure) => return (node, Err(failure)),
        };
        if self.entry == Daemons::Lookupds {
            return (node, Ok(stats));
        }
        match get::<Info>(&self.client, &node.address, "/info").await {
            Ok(info) => (Node::of_nsqd(node.address, info, Stats::default()), Ok(stats)),
            Err(failure) => (node, Err(failure)),
        }
    }
}

/// Says of each node whether another one has a higher version.
pub fn mark_out_of_date(nodes: &mut [&mut Node]) {
    let newest = nodes.iter().map(|node| node.parsed_version()).max();
    for node in nodes {
        node.is_out_of_date = newest.as_ref().is_some_and(|newest| node.parsed_version() < *newest);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::HttpClient;

    const BODY: &str = r#"{"health":"OK","start_time":7,"topics":[]}"#;

    /// How many requests are open, and were at most.
    #[derive(Debug, Default)]
    struct Crowd {
        open: AtomicUsize,
        most: AtomicUsize,
    }

    async fn answer(mut stream: TcpStream, crowd: Arc<Crowd>) -> std::io::Result<()> {
        let open = crowd.open.fetch_add(1, Ordering::SeqCst) + 1;
        crowd.most.fetch_max(open, Ordering::SeqCst);
        let (mut head, mut part) = (Vec::new(), [0; 1024]);
        while !head.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut part).await?;
            head.extend_from_slice(&part[..count]);
        }
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        // The client is free to ask the next as soon as it has the answer.
        crowd.open.fetch_sub(1, Ordering::SeqCst);
        let length = BODY.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{BODY}");
        stream.write_all(answer.as_bytes()).await
    }

    async fn serve(listener: TcpListener, crowd: Arc<Crowd>) {
        loop {
            let (stream, _) = listener.accept().await.expect("somebody connects");
            tokio::spawn(answer(stream, Arc::clone(&crowd)));
        }
    }

    async fn bound() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        (listener, address)
    }

    fn cluster() -> Cluster {
        let client = HttpClient {
            connect_timeout: Duration::from_secs(20),
            request_timeout: Duration::from_secs(20),
            max_body_bytes: 1 << 20,
            tls: None,
            authorization: None,
        };
        Cluster::by_lookupds(&[], client)
    }

    fn node(place: usize, address: String) -> Node {
        Node { address, hostname: place.to_string(), ..Node::default() }
    }

    #[tokio::test]
    async fn not_too_many_are_asked_at_once_and_all_are_handed_over() {
        let crowd = Arc::new(Crowd::default());
        let (mut nodes, mut serving) = (Vec::new(), JoinSet::new());
        for place in 0..20 {
            let (listener, address) = bound().await;
            nodes.push(node(place, address));
            if place != 5 {
                serving.spawn(serve(listener, Arc::clone(&crowd)));
            }
        }
        // It was asked already.
        nodes.push(node(20, nodes[0].address.clone()));
        let mut taken = Vec::new();
        let take = |node: Node, stats: Result<Stats, Failure>| {
            taken.push((node.hostname, stats.is_ok_and(|stats| stats.start_time == 7)));
        };
        cluster().survey_patiently(nodes, (3, Duration::MAX), take).await;
        taken.sort();
        let mut expected: Vec<_> = (0..20).map(|place| (place.to_string(), place != 5)).collect();
        expected.sort();
        assert_eq!(taken, expected);
        assert!(crowd.most.load(Ordering::SeqCst) <= 3, "{crowd:?}");
    }

    #[tokio::test]
    async fn those_that_hang_hold_up_nobody() {
        let (mut hanging, mut nodes) = (Vec::new(), Vec::new());
        for place in 0..6 {
            let (listener, address) = bound().await;
            hanging.push(listener);
            nodes.push(node(place, address));
        }
        let (listener, address) = bound().await;
        let serving = tokio::spawn(serve(listener, Arc::default()));
        nodes.push(node(6, address));
        let (tell, told) = tokio::sync::oneshot::channel();
        let mut tell = Some(tell);
        let take = |node: Node, _| {
            if let Some(tell) = tell.take() {
                tell.send(node.hostname).expect("somebody waits");
            }
        };
        let cluster = cluster();
        let survey = cluster.survey_patiently(nodes, (2, Duration::from_millis(1)), take);
        tokio::select! {
            () = survey => panic!("it ended before those that hang"),
            first = told => assert_eq!(first, Ok("6".to_owned())),
        }
        serving.abort();
    }
}
