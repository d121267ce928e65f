use nsq_api::cluster::Node;
use proptest::prelude::*;

use super::*;

fn node(address: &str) -> Node {
    let (host, port) = address.split_once(':').expect("host:port");
    Node {
        address: address.to_owned(),
        broadcast_address: host.to_owned(),
        hostname: host.to_owned(),
        http_port: port.parse().expect("a port"),
        ..Node::default()
    }
}

fn channel(name: &str, messages: u64, depth: i64) -> ChannelStats {
    ChannelStats {
        channel_name: name.to_owned(),
        message_count: messages,
        requeue_count: messages / 10,
        depth,
        client_count: 1,
        ..ChannelStats::default()
    }
}

/// A topic `t` with a channel `c` that has got all messages.
fn stats(start_time: i64, messages: u64, depth: i64) -> Stats {
    let topic = TopicStats {
        topic_name: "t".to_owned(),
        message_count: messages,
        channels: vec![channel("c", messages, depth)],
        ..TopicStats::default()
    };
    Stats { health: "OK".to_owned(), start_time, topics: Some(vec![topic]), ..Stats::default() }
}

fn circumstances(at_s: u64) -> Circumstances {
    Circumstances {
        taken: SystemTime::UNIX_EPOCH + Duration::from_secs(at_s),
        took: Duration::from_secs(1),
        at: Duration::from_secs(at_s),
        lookupd_failures: Vec::new(),
    }
}

/// A look at `at_s`, with these answers.
fn look(ledger: &mut Ledger, at_s: u64, answers: &[(&str, Option<Stats>)]) -> Overview {
    for (address, answer) in answers {
        let at = Duration::from_secs(at_s);
        match answer {
            Some(stats) => ledger.take(node(address), at, stats),
            None => ledger.fail(node(address), at, "silence"),
        }
    }
    ledger.finish(circumstances(at_s))
}

/// Whether they are known, and the rates of the topic, and of what leaves the channel.
fn rates(overview: &Overview) -> (bool, f64, f64) {
    let topic = &overview.topics["t"];
    let channel = &topic.channels["c"];
    assert_eq!((topic.has_rates, topic.rate), (channel.has_rates, channel.rate));
    let nodes = overview.nodes.iter();
    assert!((nodes.map(|node| node.rate).sum::<f64>() - topic.rate).abs() < 1e-6);
    (topic.has_rates, topic.rate, channel.finish_rate)
}

const MEMORY: Duration = Duration::from_secs(60);

#[test]
fn nodes_are_summed_and_compared_with_themselves() {
    let mut ledger = Ledger::new(MEMORY);
    let first =
        look(&mut ledger, 10, &[("b:1", Some(stats(1, 100, 10))), ("a:1", Some(stats(1, 50, 0)))]);
    assert_eq!(rates(&first), (false, 0.0, 0.0));
    let topic = &first.topics["t"];
    let channel = &topic.channels["c"];
    assert_eq!((topic.node_count, topic.message_count, topic.total_depth()), (2, 150, 10));
    assert_eq!((channel.requeue_count, channel.client_count), (15, 2));
    let addresses: Vec<_> = first.nodes.iter().map(|seen| &*seen.node.address).collect();
    assert_eq!(addresses, ["a:1", "b:1"]);
    assert_eq!((first.nodes[1].channel_count, first.nodes[1].depth), (1, 10));
    let second =
        look(&mut ledger, 12, &[("a:1", Some(stats(1, 54, 1))), ("b:1", Some(stats(1, 110, 0)))]);
    assert_eq!(rates(&second), (true, 7.0, 11.5));
    assert!((second.topics["t"].channels["c"].requeue_rate - 0.5).abs() < 1e-9);
}

#[test]
fn nodes_that_come_go_or_start_anew_are_no_traffic() {
    let mut ledger = Ledger::new(MEMORY);
    let a = |messages| ("a:1", Some(stats(1, messages, 0)));
    look(&mut ledger, 10, &[a(100)]);
    let joined = look(&mut ledger, 12, &[a(102), ("b:1", Some(stats(1, 9000, 0)))]);
    assert_eq!(rates(&joined), (true, 1.0, 1.0));
    let anew = look(&mut ledger, 14, &[a(104), ("b:1", Some(stats(2, 9999, 0)))]);
    assert_eq!(rates(&anew), (true, 1.0, 1.0));
    let gone = look(&mut ledger, 16, &[a(106)]);
    assert_eq!(rates(&gone), (true, 1.0, 1.0));
    let unseen = Duration::from_secs(2);
    assert_eq!(gone.gone, [GoneNode { node: "b:1".to_owned(), unseen }]);
    assert!(look(&mut ledger, 80, &[a(106)]).gone.is_empty());
}

#[test]
fn a_node_that_was_silent_is_compared_with_what_it_said_last() {
    let mut ledger = Ledger::new(MEMORY);
    look(&mut ledger, 10, &[("a:1", Some(stats(1, 100, 0)))]);
    let silent = look(&mut ledger, 20, &[("a:1", None)]);
    assert!(silent.topics.is_empty() && ledger.has_failed(&node("a:1")));
    assert_eq!(silent.nodes[0].failure.as_deref(), Some("silence"));
    assert_eq!(silent.failures, ["silence"]);
    let back = look(&mut ledger, 30, &[("a:1", Some(stats(1, 300, 0)))]);
    assert_eq!(rates(&back), (true, 10.0, 10.0));
    for at_s in [40, 50, 60, 70, 80, 90, 100] {
        look(&mut ledger, at_s, &[("a:1", None)]);
    }
    let forgotten = look(&mut ledger, 110, &[("a:1", Some(stats(1, 900, 0)))]);
    assert_eq!(rates(&forgotten), (false, 0.0, 0.0));
    assert!(!ledger.has_failed(&node("a:1")));
}

#[test]
fn a_short_memory_is_enough_for_rates() {
    let mut ledger = Ledger::new(Duration::ZERO);
    for at_s in [10, 20, 30] {
        // The answer came half a second before the look was over.
        let at = Duration::from_millis(at_s * 1000 - 500);
        ledger.take(node("a:1"), at, &stats(1, at_s * 3, 0));
        let overview = ledger.finish(circumstances(at_s));
        assert_eq!(rates(&overview).0, at_s > 10);
        assert!(at_s == 10 || rates(&overview).1 == 3.0);
    }
}

#[test]
fn a_silent_node_is_the_node_that_it_was() {
    let mut ledger = Ledger::new(MEMORY);
    let introduced = Node { broadcast_address: "inside".to_owned(), ..node("a:1") };
    ledger.take(introduced.clone(), Duration::from_secs(1), &stats(1, 1, 0));
    ledger.finish(circumstances(1));
    assert_eq!(ledger.known_nodes(), std::slice::from_ref(&introduced));
    assert_eq!(look(&mut ledger, 2, &[("a:1", None)]).nodes[0].node, introduced);
    assert_eq!(ledger.known_nodes(), [introduced]);
    look(&mut ledger, 3, &[]);
    assert_eq!(ledger.known_nodes(), []);
}

#[test]
fn texts_and_lists_are_cut() {
    let mut ledger = Ledger::new(MEMORY);
    ledger.take(node("a:1"), Duration::ZERO, &Stats { health: "ü".repeat(999), ..stats(1, 1, 1) });
    for port in 1..=30 {
        ledger.fail(node(&format!("b:{port}")), Duration::ZERO, &"x".repeat(999));
    }
    let overview = ledger.finish(circumstances(1));
    assert_eq!(overview.nodes[0].health, "ü".repeat(TEXT_BYTES_MAX / 2));
    assert_eq!((overview.failures.len(), overview.failures[0].len()), (FAILURES_MAX + 1, 400));
    assert_eq!(overview.failures.last().map(|text| &**text), Some("10 more do not answer"));
}

#[test]
fn names_that_are_none_are_left_out() {
    let mut wrong = stats(1, 1, 1);
    for topic in wrong.topics.iter_mut().flatten() {
        topic.channels.push(channel("<script>", 1, 1));
    }
    let overview = look(&mut Ledger::new(MEMORY), 1, &[("a:1", Some(wrong))]);
    assert_eq!(overview.topics["t"].channels.len(), 1);
    assert!(overview.failures[0].starts_with("1 topics and channels"), "{:?}", overview.failures);
}

proptest! {
    /// However nodes behave, rates are no less than zero, and all messages that were published
    /// while a node ran and could be asked are in them.
    #[test]
    fn what_is_published_is_in_the_rates(
        steps in proptest::collection::vec((0_u64..100, 0_u8..10), 1..30),
    ) {
        let mut ledger = Ledger::new(Duration::from_secs(1000));
        let (mut total, mut run, mut compared, mut rated) = (500, 1, None, 0.0);
        let mut seen_at = 0;
        let mut expected = 0;
        for (step, (published, what)) in steps.into_iter().enumerate() {
            let at_s = 10 * (step as u64 + 1);
            total += published;
            match what {
                0 => {
                    look(&mut ledger, at_s, &[("a:1", None)]);
                    continue;
                }
                1 => (run, total, compared) = (run + 1, published, None),
                _ => {}
            }
            let overview = look(&mut ledger, at_s, &[("a:1", Some(stats(run, total, 0)))]);
            let (is_known, rate, left) = rates(&overview);
            prop_assert_eq!(is_known, compared.is_some());
            prop_assert!(rate >= 0.0 && (rate - left).abs() < 1e-6);
            expected += compared.map_or(0, |before: u64| total - before);
            rated += rate * (at_s - seen_at) as f64;
            (compared, seen_at) = (Some(total), at_s);
        }
        prop_assert!((rated - expected as f64).abs() < 1e-3, "{rated} {expected}");
    }
}
