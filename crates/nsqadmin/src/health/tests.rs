use nsq_api::cluster::Node;

use super::*;

fn overview(nodes: Vec<NodeOverview>, topics: Vec<(&str, TopicOverview)>) -> Overview {
    let topics = topics.into_iter().map(|(name, topic)| (name.to_owned(), topic));
    Overview {
        taken: SystemTime::UNIX_EPOCH + Duration::from_secs(1000),
        took: Duration::ZERO,
        nodes,
        topics: topics.collect(),
        lookupd_failures: Vec::new(),
        gone: Vec::new(),
        failures: Vec::new(),
        findings: Vec::new(),
        other_findings: 0,
    }
}

fn node(hostname: &str, version: &str, health: &str) -> NodeOverview {
    let node = Node {
        broadcast_address: hostname.to_owned(),
        http_port: 1,
        version: version.to_owned(),
        ..Node::default()
    };
    NodeOverview { node, health: health.to_owned(), ..NodeOverview::default() }
}

fn topic(depth: i64, channels: &[(&str, ChannelOverview)]) -> TopicOverview {
    let channels = channels.iter().map(|(name, channel)| ((*name).to_owned(), channel.clone()));
    TopicOverview { node_count: 1, depth, channels: channels.collect(), ..Default::default() }
}

fn channel(depth: i64, client_count: i64) -> ChannelOverview {
    ChannelOverview { node_count: 1, depth, client_count, ..ChannelOverview::default() }
}

fn no_history() -> History {
    History::new(Duration::from_secs(10), Duration::from_secs(3600))
}

/// One line for each finding: how bad, its kind and data.
fn lines(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        let what = serde_json::to_string(&finding.what).expect("it has a JSON form");
        let what = what.replace("{\"kind\":", "").replace(['"', '}', '{'], "");
        format!("{:?} {what}", finding.severity)
    };
    findings.iter().map(line).collect()
}

#[track_caller]
fn check(overview: &Overview, expected: &[&str]) {
    let (findings, others) = findings(overview, &no_history(), None);
    assert_eq!(lines(&findings), expected);
    assert_eq!(others, 0);
    assert!(findings.iter().all(|finding| finding.since.is_none()));
}

#[test]
fn a_cluster_that_is_well() {
    check(&overview(Vec::new(), Vec::new()), &[]);
    let busy = channel(50, 1);
    let nodes = vec![node("a", "1.3.0", "OK"), node("b", "1.3.0", "")];
    check(&overview(nodes, vec![("t", topic(0, &[("c", busy), ("d", channel(0, 0))]))]), &[]);
}

#[test]
fn nodes_and_lookupds() {
    let gone = crate::overview::GoneNode { node: "g:1".into(), unseen: Duration::from_secs(9) };
    let silent = NodeOverview { failure: Some("silence".into()), ..node("b", "", "") };
    let nodes = vec![node("a", "1.3.0", "NOK - disk"), silent, node("c", "1.2.1", "OK")];
    let overview = Overview {
        gone: vec![gone],
        lookupd_failures: vec![("l:1".into(), "refused".into())],
        ..overview(nodes, Vec::new())
    };
    check(
        &overview,
        &[
            "Problem node_unreachable,node:b:1,reason:silence",
            "Problem node_unhealthy,node:a:1,says:NOK - disk",
            "Problem lookupd_unreachable,address:l:1,reason:refused",
            "Warning node_gone,node:g:1,unseen_s:9",
            "Notice version_mix,versions:[[1.2.1,1],[1.3.0,1]]",
        ],
    );
}

#[test]
fn topics_and_channels() {
    let paused = |depth| ChannelOverview { paused: true, ..channel(depth, 0) };
    let dropping = ChannelOverview { rate: 1.0, ..channel(0, 0) };
    let topics = vec![
        ("alone", topic(8, &[])),
        ("empty", topic(0, &[])),
        ("paused", TopicOverview { paused: true, ..topic(4, &[("c", paused(0))]) }),
        ("t", topic(0, &[("a", paused(3)), ("b", channel(1, 0)), ("c#ephemeral", dropping)])),
        ("u", topic(0, &[("a", channel(7, 0))])),
    ];
    check(
        &overview(Vec::new(), topics),
        &[
            "Warning no_consumers,topic:u,channel:a,depth:7",
            "Warning no_consumers,topic:t,channel:b,depth:1",
            "Warning no_consumers,topic:t,channel:c#ephemeral,depth:0",
            "Warning no_channel,topic:alone,depth:8",
            "Warning topic_paused,topic:paused,depth:4",
            "Warning channel_paused,topic:t,channel:a,depth:3",
            "Notice channel_paused,topic:paused,channel:c,depth:0",
        ],
    );
}

/// All kinds of growing topics, seen every 10 s for a while.
fn grown(history: &mut History) -> Overview {
    let mut last = overview(Vec::new(), Vec::new());
    for step in 0..=30_i64 {
        let depth = step * 50;
        let paused = ChannelOverview { paused: true, ..channel(depth, 1) };
        last = overview(
            Vec::new(),
            vec![
                ("alone", topic(depth, &[])),
                ("stuck", topic(depth, &[("c", channel(3, 1))])),
                (
                    "t",
                    topic(
                        0,
                        &[
                            ("busy", channel(depth, 1)),
                            ("nobody", channel(depth, 0)),
                            ("paused", paused),
                            ("steady", channel(900, 1)),
                        ],
                    ),
                ),
            ],
        );
        history.observe(&last, Duration::from_secs(step as u64 * 10));
    }
    last
}

#[test]
fn growth_is_told_once() {
    let mut history = no_history();
    let (findings, _) = findings(&grown(&mut history), &history, None);
    assert_eq!(
        lines(&findings),
        [
            "Problem growing_depth,topic:stuck,channel:null,from:3,to:1503,over_s:300",
            "Problem growing_depth,topic:t,channel:busy,from:0,to:1500,over_s:300",
            "Problem no_consumers,topic:t,channel:nobody,depth:1500",
            "Problem no_channel,topic:alone,depth:1500",
            "Warning channel_paused,topic:t,channel:paused,depth:1500",
        ]
    );
}

#[test]
fn findings_know_since_when() {
    let history = no_history();
    let paused = TopicOverview { paused: true, ..topic(0, &[]) };
    let first = overview(Vec::new(), vec![("t", paused.clone())]);
    let (before, _) = findings(&first, &history, None);
    let deeper = TopicOverview { depth: 5, ..paused.clone() };
    let mut second = overview(Vec::new(), vec![("t", deeper), ("u", paused)]);
    let since = |overview: &Overview, before: &[Finding]| {
        let (findings, _) = findings(overview, &history, Some(before));
        let since = findings.iter().map(|finding| finding.since).collect::<Vec<_>>();
        (findings, since)
    };
    let (before, at) = since(&second, &before);
    assert_eq!(at, [None, Some(second.taken)]);
    let then = second.taken;
    second.taken += Duration::from_secs(10);
    assert_eq!(since(&second, &before).1, [None, Some(then)]);
    assert_eq!(since(&second, &[]).1, [Some(second.taken); 2]);
}

#[test]
fn growing_goes_on_as_long_as_there_is_more() {
    let mut history = no_history();
    let look = |step: i64| {
        overview(
            Vec::new(),
            vec![(
                "t",
                topic(0, &[("c", channel(9000 + step, 1)), ("d", channel(9000 + step, 0))]),
            )],
        )
    };
    for step in 0..=30_i64 {
        history.observe(&look(step), Duration::from_secs(step as u64 * 10));
    }
    let (slow, _) = findings(&look(30), &history, None);
    assert_eq!(lines(&slow), ["Warning no_consumers,topic:t,channel:d,depth:9030"]);
    let growing = |channel: &str| Trouble::GrowingDepth {
        topic: "t".to_owned(),
        channel: Some(channel.to_owned()),
        from: 0,
        to: 0,
        over: Duration::ZERO,
    };
    let before = ["c", "d"].map(growing);
    let before = before.map(|what| Finding { severity: Severity::Problem, what, since: None });
    let (slow, _) = findings(&look(30), &history, Some(&before));
    assert_eq!(
        lines(&slow),
        [
            "Problem growing_depth,topic:t,channel:c,from:9000,to:9030,over_s:300",
            "Problem no_consumers,topic:t,channel:d,depth:9030",
        ]
    );
    // That nobody takes them is as good a reason.
    let (slow, _) = findings(&look(30), &history, Some(&slow));
    assert_eq!(slow.iter().filter(|found| found.severity == Severity::Problem).count(), 2);
}

#[test]
fn there_are_not_too_many() {
    let names: Vec<_> = (0..500).map(|number| format!("t{number}")).collect();
    let topics = names.iter().enumerate().map(|(n, name)| (&**name, topic(n as i64, &[])));
    let (findings, others) = findings(&overview(Vec::new(), topics.collect()), &no_history(), None);
    // One of them is empty.
    assert_eq!((findings.len(), others), (FINDINGS_MAX, 499 - FINDINGS_MAX));
    assert!(matches!(findings[0].what, Trouble::NoChannel { depth: 499, .. }));
}
