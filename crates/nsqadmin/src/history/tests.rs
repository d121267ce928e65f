use std::collections::BTreeMap;

use nsq_api::cluster::Node;
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn node(hostname: &str, depth: i64, rate: Option<f64>) -> NodeOverview {
    NodeOverview {
        node: Node { broadcast_address: hostname.to_owned(), http_port: 1, ..Node::default() },
        depth,
        in_flight_count: 2,
        has_rates: rate.is_some(),
        rate: rate.unwrap_or_default(),
        ..NodeOverview::default()
    }
}

fn silent(hostname: &str) -> NodeOverview {
    NodeOverview { failure: Some("silence".to_owned()), ..node(hostname, 0, None) }
}

/// A topic of which one message waits in the topic itself, and all others in a channel.
fn topic(depth: i64) -> TopicOverview {
    let channel = ChannelOverview {
        node_count: 1,
        depth: depth - 1,
        deferred_count: 5,
        has_rates: true,
        timeout_rate: 0.5,
        ..ChannelOverview::default()
    };
    let channels = [("c".to_owned(), channel)].into();
    TopicOverview { node_count: 1, depth: 1, has_rates: true, channels, ..Default::default() }
}

fn overview(at_s: u64, nodes: Vec<NodeOverview>, topics: &[(&str, i64)]) -> Overview {
    let topics = topics.iter().map(|(name, depth)| ((*name).to_owned(), topic(*depth)));
    Overview {
        taken: SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + at_s),
        took: SECOND,
        nodes,
        topics: topics.collect::<BTreeMap<_, _>>(),
        lookupd_failures: Vec::new(),
        gone: Vec::new(),
        failures: Vec::new(),
        findings: Vec::new(),
        other_findings: 0,
    }
}

fn observe(history: &mut History, at_s: u64, nodes: Vec<NodeOverview>, topics: &[(&str, i64)]) {
    history.observe(&overview(at_s, nodes, topics), Duration::from_secs(at_s));
}

fn topic_of(name: &str) -> Subject {
    Subject::Topic(name.to_owned())
}

/// What a chart has of the depth.
fn depths(history: &History, subject: &Subject) -> Option<Vec<Option<f32>>> {
    history.chart(subject).map(|chart| chart.depth)
}

#[test]
fn nothing_is_known_before_the_first_look() {
    let history = History::new(SECOND, 10 * SECOND);
    assert_eq!(history.chart(&Subject::Cluster), Some(Chart::default()));
    assert_eq!(history.chart(&topic_of("t")), None);
}

#[test]
fn all_subjects_have_the_same_times_and_gaps_where_nothing_is_known() {
    let mut history = History::new(SECOND, 10 * SECOND);
    observe(&mut history, 1, vec![node("a", 3, None), silent("b")], &[]);
    observe(&mut history, 2, vec![node("a", 4, Some(1.5)), node("b", 5, None)], &[("t", 9)]);
    observe(&mut history, 3, vec![silent("a"), silent("b")], &[]);
    let cluster = history.chart(&Subject::Cluster).expect("it is there");
    assert_eq!(cluster.times_s, [1001, 1002, 1003]);
    assert_eq!(cluster.depth, [Some(3.0), Some(9.0), None]);
    assert_eq!(cluster.in_flight, [Some(2.0), Some(4.0), None]);
    assert_eq!(cluster.rate, [None, Some(1.5), None]);
    let b = history.chart(&Subject::Node("b:1".to_owned())).expect("it was there");
    assert_eq!((b.depth, b.rate), (vec![None, Some(5.0), None], vec![None; 3]));
    let topic = history.chart(&topic_of("t")).expect("it was there");
    assert_eq!(topic.depth, [None, Some(9.0), None]);
    assert_eq!(topic.deferred, [None, Some(5.0), None]);
    assert_eq!(topic.timeouts, [None, Some(0.5), None]);
    let channel = history.chart(&Subject::Channel("t".to_owned(), "c".to_owned()));
    assert_eq!(channel.expect("it was there").depth, [None, Some(8.0), None]);
}

#[test]
fn what_is_too_old_goes() {
    let mut history = History::new(SECOND, 3 * SECOND);
    observe(&mut history, 1, Vec::new(), &[("t", 7)]);
    for at_s in 2..=4 {
        observe(&mut history, at_s, Vec::new(), &[("u", 5)]);
    }
    assert_eq!(depths(&history, &topic_of("t")), Some(vec![Some(7.0), None, None, None]));
    observe(&mut history, 5, Vec::new(), &[("u", 6)]);
    assert_eq!(depths(&history, &topic_of("t")), None);
    // Looks became rare.
    observe(&mut history, 7, Vec::new(), &[("u", 8)]);
    let known = vec![Some(5.0), Some(6.0), Some(8.0)];
    assert_eq!(depths(&history, &topic_of("u")), Some(known));
    observe(&mut history, 99, Vec::new(), &[("u", 9)]);
    assert_eq!(depths(&history, &topic_of("u")), Some(vec![Some(9.0)]));
}

#[test]
fn only_the_busiest_are_kept() {
    let mut history = History { series_max: 4, ..History::new(SECOND, 10 * SECOND) };
    let names = |history: &History| {
        let mut names: Vec<_> = history.series.keys().cloned().collect();
        names.sort();
        names
    };
    let channel_of = |name: &str| Subject::Channel(name.to_owned(), "c".to_owned());
    observe(&mut history, 1, Vec::new(), &[("a", 100), ("b", 300), ("c", 200)]);
    let kept = [topic_of("b"), topic_of("c"), channel_of("b"), channel_of("c")];
    assert_eq!(names(&history), kept);
    let text = history.left_out().expect("there are more");
    assert!(text.starts_with("2 topics, channels and nodes"), "{text}");
    // A little more is not enough, much more is.
    observe(&mut history, 2, Vec::new(), &[("a", 350), ("b", 300), ("c", 200)]);
    assert_eq!(names(&history), kept);
    observe(&mut history, 3, Vec::new(), &[("a", 5000), ("b", 300), ("c", 200)]);
    assert_eq!(names(&history), [topic_of("a"), topic_of("b"), channel_of("a"), channel_of("b")]);
    assert_eq!(depths(&history, &topic_of("b")), Some(vec![Some(300.0); 3]));
    // What is gone makes room, and the cluster is never left out.
    observe(&mut history, 4, vec![node("n", 1, None)], &[("d", 1)]);
    let there = [Subject::Cluster, topic_of("d"), channel_of("d"), Subject::Node("n:1".into())];
    assert_eq!(names(&history), there);
    assert_eq!(history.left_out(), None);
}

#[test]
fn memory_is_bounded_whatever_the_options() {
    for (interval_ms, length_s) in [(10_000, 3600), (50, 3600), (1, u64::MAX / 1000), (1000, 0)] {
        let interval = Duration::from_millis(interval_ms);
        let history = History::new(interval, Duration::from_secs(length_s));
        assert!(history.looks_max >= 1 && history.series_max >= 1);
        assert!(history.looks_max * history.series_max <= POINTS_MAX);
    }
    let usual = History::new(Duration::from_secs(10), Duration::from_secs(3600));
    // 100 nodes, 2,000 topics with 5 channels each.
    assert!(usual.series_max >= 12_101, "{}", usual.series_max);
    let mut history = History::new(SECOND, 360 * SECOND);
    for at_s in 0..1000 {
        observe(&mut history, at_s, Vec::new(), &[("t", 1)]);
    }
    let longest = history.series.values().map(|series| series.points.capacity()).max();
    assert!(longest <= Some(361 + POINTS_GROWTH), "{longest:?}");
}

#[test]
fn depths_of_the_last_time() {
    let mut history = History::new(SECOND, 100 * SECOND);
    for at_s in 1..=9 {
        let topics = [("t", at_s as i64)];
        let is_seen = at_s != 8;
        observe(&mut history, at_s, Vec::new(), &topics[..usize::from(is_seen)]);
    }
    let depths = |over_s: u64, at_least| {
        let depths = history.depths(&topic_of("t"), Duration::from_secs(over_s), at_least);
        depths.into_iter().map(|(at, depth)| (at.as_secs(), depth as u64)).collect::<Vec<_>>()
    };
    assert_eq!(depths(3, 0), [(6, 6), (7, 7), (9, 9)]);
    assert_eq!(depths(1, 4), [(6, 6), (7, 7), (9, 9)]);
    assert_eq!(depths(99, 4).len(), 8);
}

proptest! {
    /// Whatever comes and goes: lists have the length of the times, there are not too many, and the
    /// newest of what is there is what was seen.
    #[test]
    fn charts_hold(
        looks in proptest::collection::vec(
            (1_u64..5, proptest::collection::btree_map("[a-f]", 1_i64..1000, 0..6)), 1..40),
        series_max in 1_usize..20,
    ) {
        let mut history = History { series_max, ..History::new(SECOND, 20 * SECOND) };
        let mut at_s = 0;
        for (pause, topics) in &looks {
            at_s += pause;
            let topics: Vec<_> = topics.iter().map(|(name, depth)| (&**name, *depth)).collect();
            observe(&mut history, at_s, vec![node("n", 1, None)], &topics);
            prop_assert!(history.series.len() <= series_max.max(1));
            let length = history.chart(&Subject::Cluster).map(|chart| chart.times_s.len());
            prop_assert!(length <= Some(21));
            for (name, depth) in topics {
                let Some(chart) = history.chart(&topic_of(name)) else { continue };
                prop_assert_eq!(Some(chart.depth.len()), length);
                prop_assert_eq!(chart.requeues.len(), chart.times_s.len());
                prop_assert_eq!(chart.depth.last().copied().flatten(), Some(depth as f32));
            }
            for subject in history.series.keys() {
                let known = history.chart(subject).map(|chart| chart.depth);
                prop_assert!(known.is_some_and(|known| known.iter().any(Option::is_some)));
            }
        }
    }
}
