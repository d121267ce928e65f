//! What is wrong with the cluster, in words.

use maud::{Markup, html};

use super::figures;
use super::visit::Visit;
use crate::health::{Finding, Severity, Trouble};
use crate::overview::Overview;

/// The list of findings, worst first; that there are none is said, too.
pub(super) fn findings(visit: &Visit, overview: &Overview) -> Markup {
    let t = visit.language;
    html! {
        section.health aria-labelledby="health" {
            h2 #health { (t.health()) }
            @if overview.findings.is_empty() {
                p.well { (t.all_is_well()) }
            } @else {
                ul { @for found in &overview.findings { (row(visit, found)) } }
            }
            @if overview.other_findings > 0 {
                p { (t.more_findings(&figures::count(overview.other_findings))) }
            }
        }
    }
}

fn row(visit: &Visit, finding: &Finding) -> Markup {
    let t = visit.language;
    let (class, word) = match finding.severity {
        Severity::Problem => ("problem", t.problem()),
        Severity::Warning => ("warning", t.warning()),
        Severity::Notice => ("info", t.notice()),
    };
    html! {
        li class=(class) {
            span.badge { (word) } " "
            (said(visit, &finding.what))
            @if let Some(since) = finding.since {
                " " span.since { (t.since()) " " (time(since)) }
            }
        }
    }
}

/// A moment, which the script turns into local time.
pub(super) fn time(at: std::time::SystemTime) -> Markup {
    let moment = figures::moment(at);
    html! { time datetime=(moment) { (moment) } }
}

/// A link and a sentence.
fn said(visit: &Visit, trouble: &Trouble) -> Markup {
    let t = visit.language;
    let count = |number: &i64| figures::count(number);
    let topic_link = |topic: &str| html! { a href=(visit.topic(topic)) { (topic) } };
    let channel_link = |topic: &str, channel: &str| {
        html! { a href=(visit.channel(topic, channel)) { (topic) "/" (channel) } }
    };
    let node_link = |node: &str| html! { a href=(visit.node(node)) { (node) } };
    let (subject, sentence) = match trouble {
        Trouble::NodeUnreachable { node, reason } => (node_link(node), t.node_unreachable(reason)),
        Trouble::NodeUnhealthy { node, says } => (node_link(node), t.node_unhealthy(says)),
        Trouble::NodeGone { node, unseen } => {
            (html! { (node) }, t.node_gone(&figures::seconds(*unseen)))
        }
        Trouble::LookupdUnreachable { address, reason } => {
            (html! { (address) }, t.lookupd_unreachable(reason))
        }
        Trouble::GrowingDepth { topic, channel, from, to, over } => {
            let subject = match channel {
                Some(channel) => channel_link(topic, channel),
                None => topic_link(topic),
            };
            (subject, t.growing_depth(&count(from), &count(to), &figures::seconds(*over)))
        }
        Trouble::NoConsumers { topic, channel, depth } => {
            (channel_link(topic, channel), t.no_consumers(&count(depth)))
        }
        Trouble::NoChannel { topic, depth } => (topic_link(topic), t.no_channel(&count(depth))),
        Trouble::TopicPaused { topic, depth } => (topic_link(topic), t.is_paused(&count(depth))),
        Trouble::ChannelPaused { topic, channel, depth } => {
            (channel_link(topic, channel), t.is_paused(&count(depth)))
        }
        Trouble::VersionMix { versions } => {
            let list = versions.iter().map(|(version, count)| format!("{version} ({count})"));
            let list = list.collect::<Vec<_>>().join(", ");
            (html! { a href=(visit.link("/nodes")) { (t.nodes()) } }, t.version_mix(&list))
        }
    };
    html! { b { (subject) } " – " (sentence) }
}
