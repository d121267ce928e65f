//! One nsqd: its topics with their channels and consumers.

use std::cmp::Ordering;

use maud::{Markup, html};
use nsq_app::http::{Failure, Request};

use super::actions::{Button, button};
use super::charts::charts;
use super::clients;
use super::figures;
use super::frame::{Content, Section};
use super::graphs;
use super::listing::Listing;
use super::outcome::{Outcome, done};
use super::page::Page;
use super::visit::Visit;
use crate::admin::Admin;
use crate::ask;
use crate::chart::Subject;
use crate::upstream::Warnings;
use crate::view::{ChannelView, TopicView};

/// How many consumers of a channel are shown here; the others are on the channel's page.
const CLIENTS_MAX: usize = 20;

/// The page of a node.
pub(super) struct NodePage {
    name: String,
    /// Of its topics.
    listing: Listing,
    outcome: Option<Outcome>,
}

impl Page for NodePage {
    fn of(request: &Request) -> Result<Self, Failure> {
        let query = request.query()?;
        let name = request.parameter().unwrap_or_default().to_owned();
        Ok(Self { name, listing: Listing::of_blocks(&query)?, outcome: Outcome::of(&query) })
    }

    async fn content(&self, admin: &Admin, visit: &Visit) -> Result<Content, Failure> {
        let t = visit.language;
        let mut warnings = Warnings::default();
        let (node, topics) = ask::node(&admin.cluster(), &self.name, &mut warnings).await?;
        let subject = Subject::Node(node.http_address());
        let messages = topics.iter().map(|topic| topic.message_count).fold(0, u64::saturating_add);
        let channels = topics.iter().flat_map(|topic| topic.channels.iter().flatten());
        let clients: usize =
            channels.map(|channel| channel.clients.as_ref().map_or(0, Vec::len)).sum();
        let matching = topics.iter().filter(|topic| self.listing.matches(&topic.topic_name));
        let rows = self.listing.rows(matching.collect(), compare);
        let body = html! {
            nav.breadcrumb aria-label=(t.way_here()) {
                ol { li { a href=(visit.link("/nodes")) { (t.nodes()) } } }
            }
            h1 { (t.node()) ": " (self.name) }
            (done(visit, self.outcome))
            dl.summary {
                div { dt { (t.hostname()) } dd { (node.hostname) } }
                div { dt { (t.version()) } dd { (node.version) } }
                div { dt { (t.topics()) } dd { (figures::count(topics.len())) } }
                div { dt { (t.messages()) } dd { (figures::count(messages)) } }
                div { dt { (t.consumers()) } dd { (figures::count(clients)) } }
            }
            (charts(visit, admin.watch.chart(&subject).as_ref(), &subject))
            (graphs::memory(visit, &self.name))
            h2 { (t.topics()) }
            @if topics.is_empty() {
                p.notice { (t.no_topics_of_node()) }
            } @else {
                (self.listing.search(visit, t.search_topics()))
                @if rows.total == 0 { p.notice { (t.nothing_matches()) } }
                @for topic in &rows.shown { (self.topic(visit, topic)) }
                (self.listing.pager(visit, &rows))
            }
        };
        Ok(Content { title: self.name.clone(), section: Section::Nodes, warnings, body })
    }
}

fn compare(column: &str, a: &&TopicView, b: &&TopicView) -> Ordering {
    match column {
        "name" => a.topic_name.cmp(&b.topic_name),
        "depth" => a.depth.cmp(&b.depth),
        "messages" => a.message_count.cmp(&b.message_count),
        _ => Ordering::Equal,
    }
}

impl NodePage {
    fn topic(&self, visit: &Visit, topic: &TopicView) -> Markup {
        let t = visit.language;
        let name = &topic.topic_name;
        let channels = topic.channels.as_deref().unwrap_or_default();
        html! {
            section.block id={ "topic-" (name) } {
                div.title {
                    h3 { a href=(visit.topic(name)) { (name) } }
                    @if topic.paused { span.badge.paused { (t.paused()) } }
                    span { (t.depth()) ": " (figures::count(topic.depth)) }
                    span { (t.messages()) ": " (figures::count(topic.message_count)) }
                    @if visit.is_admin { (self.tombstone(visit, name)) }
                }
                @if channels.is_empty() {
                    p.notice { (t.no_channels()) }
                } @else {
                    (channels_table(visit, name, channels))
                }
            }
        }
    }

    fn tombstone(&self, visit: &Visit, topic: &str) -> Markup {
        let t = visit.language;
        let fields = [("action", "tombstone"), ("topic", topic)];
        let question = Some(t.tombstone_question(topic, &self.name));
        let link = visit.node(&self.name);
        button(visit, &Button { link, fields: &fields, label: t.tombstone(), question, of: topic })
    }
}

fn channels_table(visit: &Visit, topic: &str, channels: &[ChannelView]) -> Markup {
    let t = visit.language;
    let figures = [
        t.depth(),
        t.in_flight(),
        t.deferred(),
        t.requeued(),
        t.timed_out(),
        t.messages(),
        t.connections(),
    ];
    html! {
        div.wide { table aria-label=(topic) {
            thead { tr {
                th scope="col" { (t.channel()) }
                @for name in figures { th.figure scope="col" { (name) } }
            } }
            tbody { @for channel in channels { (channel_row(visit, topic, channel)) } }
        } }
    }
}

fn channel_row(visit: &Visit, topic: &str, channel: &ChannelView) -> Markup {
    let t = visit.language;
    let all = channel.clients.as_deref().unwrap_or_default();
    let others = all.len().saturating_sub(CLIENTS_MAX);
    let link = visit.channel(topic, &channel.channel_name);
    let counts = [
        figures::count(channel.depth),
        figures::count(channel.in_flight_count),
        figures::count(channel.deferred_count),
        figures::count(channel.requeue_count),
        figures::count(channel.timeout_count),
        figures::count(channel.message_count),
        figures::count(channel.client_count),
    ];
    html! {
        tr {
            th scope="row" {
                a href=(link) { (channel.channel_name) }
                @if channel.paused { " " span.badge.paused { (t.paused()) } }
            }
            @for count in counts { td.figure { (count) } }
        }
        @if !all.is_empty() {
            tr.clients { td colspan="8" { ul {
                @for client in all.iter().take(CLIENTS_MAX) {
                    li {
                        (clients::name(client)) " "
                        span.agent title=(client.user_agent) { (client.user_agent) } " "
                        (clients::attributes(visit, client))
                    }
                }
                @if others > 0 {
                    li { a href=(link) { (t.and_others(&figures::count(others))) } }
                }
            } } }
        }
    }
}
