//! One topic: its nodes and its channels.

use maud::{Markup, html};
use nsq_app::http::{Failure, Request};

use super::actions::{Button, button};
use super::channels::channels;
use super::charts::charts;
use super::figures;
use super::frame::{Content, Section};
use super::graphs;
use super::latency::Quantiles;
use super::listing::Listing;
use super::outcome::{Outcome, done};
use super::page::Page;
use super::visit::{Visit, is_ephemeral};
use crate::admin::Admin;
use crate::ask;
use crate::chart::Subject;
use crate::graphite::Nodes;
use crate::upstream::Warnings;
use crate::view::TopicView;

/// The page of a topic.
pub(super) struct TopicPage {
    name: String,
    /// Of its channels.
    listing: Listing,
    outcome: Option<Outcome>,
}

impl Page for TopicPage {
    fn of(request: &Request) -> Result<Self, Failure> {
        let query = request.query()?;
        let name = request.parameter().unwrap_or_default().to_owned();
        Ok(Self { name, listing: Listing::of(&query)?, outcome: Outcome::of(&query) })
    }

    async fn content(&self, admin: &Admin, visit: &Visit) -> Result<Content, Failure> {
        let mut warnings = Warnings::default();
        let topic = ask::topic(&admin.cluster(), &self.name, &mut warnings).await?;
        let subject = Subject::Topic(self.name.clone());
        let t = visit.language;
        let body = html! {
            (breadcrumb(visit, &[]))
            h1 {
                (t.topic()) ": " (self.name)
                @if topic.paused { " " span.badge.paused { (t.paused()) } }
                @if is_ephemeral(&self.name) { " " span.badge { (t.ephemeral()) } }
            }
            (done(visit, self.outcome))
            @if visit.is_admin { (self.actions(visit, &topic)) }
            @if topic.nodes.is_none() { p.notice { (t.no_nodes_of_topic()) " "
                a href=(visit.link("/lookup")) { (t.lookup()) } } }
            (charts(visit, admin.watch.chart(&subject).as_ref(), &subject))
            @if let Some(nodes) = &topic.nodes { (self.nodes(visit, &topic, nodes)) }
            (channels(visit, &self.listing, &self.name, topic.channels.as_deref()))
            @if visit.is_admin && topic.nodes.is_some() { (self.messages(visit)) }
        };
        Ok(Content { title: self.name.clone(), section: Section::Topics, warnings, body })
    }
}

impl TopicPage {
    fn actions(&self, visit: &Visit, topic: &TopicView) -> Markup {
        let t = visit.language;
        let link = visit.topic(&self.name);
        let action = |action: &'static str, label: &'static str, question: Option<String>| {
            let fields = [("action", action)];
            button(visit, &Button { link: link.clone(), fields: &fields, label, question, of: "" })
        };
        let name = &self.name;
        html! {
            div.actions {
                @if topic.nodes.is_some() {
                    @if topic.paused {
                        (action("unpause", t.unpause_topic(), None))
                    } @else {
                        (action("pause", t.pause_topic(), Some(t.pause_topic_question(name))))
                    }
                    (action("empty", t.empty_queue(), Some(t.empty_topic_question(name))))
                }
                (action("delete", t.delete_topic(), Some(t.delete_topic_question(name))))
            }
        }
    }

    fn nodes(&self, visit: &Visit, total: &TopicView, nodes: &[TopicView]) -> Markup {
        let t = visit.language;
        let quantiles = Quantiles::of(total.e2e_processing_latency.as_ref());
        html! {
            section aria-labelledby="queue" {
                h2 #queue { (t.topic_queue()) }
                div.wide { table aria-labelledby="queue" {
                    thead { tr {
                        th scope="col" { (t.nsqd_host()) }
                        th.figure scope="col" { (t.depth()) }
                        th.figure scope="col" { (t.memory_and_disk()) }
                        th.figure scope="col" { (t.messages()) }
                        th.figure scope="col" { (t.channels()) }
                        (quantiles.heads(visit))
                        @if visit.is_admin { th scope="col" { (t.actions()) } }
                    } }
                    tbody { @for node in nodes { (self.node(visit, node, &quantiles)) } }
                    tfoot {
                        tr {
                            th scope="row" { (t.total()) }
                            (figures_of(total, &quantiles))
                            @if visit.is_admin { td {} }
                        }
                        (graphs::topic_row(visit, &self.name, Nodes::All, &quantiles))
                    }
                } }
            }
        }
    }

    fn node(&self, visit: &Visit, node: &TopicView, quantiles: &Quantiles) -> Markup {
        let t = visit.language;
        let fields = [("action", "tombstone"), ("node", &*node.node)];
        let question = t.tombstone_question(&self.name, &node.node);
        let link = visit.topic(&self.name);
        let tombstone = Button {
            link,
            fields: &fields,
            label: t.tombstone(),
            question: Some(question),
            of: &node.node,
        };
        html! {
            tr id={ "node-" (node.node) } {
                th scope="row" {
                    (host(visit, &node.hostname, &node.node))
                    @if node.paused { " " span.badge.paused { (t.paused()) } }
                }
                (figures_of(node, quantiles))
                @if visit.is_admin { td { (button(visit, &tombstone)) } }
            }
            (graphs::topic_row(visit, &self.name, Nodes::One(&node.node), quantiles))
        }
    }

    /// What an admin can do with messages themselves.
    fn messages(&self, visit: &Visit) -> Markup {
        let t = visit.language;
        let link = visit.topic(&self.name);
        html! {
            section.messages aria-labelledby="publish" {
                h2 #publish { (t.publish_message()) }
                form.publish method="post" action=(link) {
                    (super::actions::hidden(visit, &[("action", "publish")]))
                    label for="body" { (t.body()) }
                    textarea #body name="body" rows="3" required data-keep {}
                    p.buttons { button type="submit" { (t.publish()) } }
                }
                h2 #tail-heading { (t.tail()) }
                p { (t.tail_explained()) }
                p.buttons {
                    a.button href=(visit.tail(&self.name)) { (t.start_tail()) }
                }
            }
        }
    }
}

fn figures_of(topic: &TopicView, quantiles: &Quantiles) -> Markup {
    html! {
        td.figure { (figures::count(topic.depth)) }
        td.figure { (memory_and_disk(topic.memory_depth, topic.backend_depth)) }
        td.figure { (figures::count(topic.message_count)) }
        td.figure { (figures::count(topic.channels.as_ref().map_or(0, Vec::len))) }
        (quantiles.cells(topic.e2e_processing_latency.as_ref()))
    }
}

/// `12 + 34`
pub(super) fn memory_and_disk(memory: i64, disk: i64) -> String {
    format!("{} + {}", figures::count(memory), figures::count(disk))
}

/// A node as its host and port, and its address where that is another.
pub(super) fn host(visit: &Visit, hostname: &str, address: &str) -> Markup {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    html! {
        @if hostname == host || hostname.is_empty() {
            a href=(visit.node(address)) { (address) }
        } @else {
            (hostname) ":" (port) " (" a href=(visit.node(address)) { (address) } ")"
        }
    }
}

/// The way to a page; its own name stands in its heading.
pub(super) fn breadcrumb(visit: &Visit, way: &[(String, &str)]) -> Markup {
    let t = visit.language;
    html! {
        nav.breadcrumb aria-label=(t.way_here()) {
            ol {
                li { a href=(visit.home()) { (t.topics()) } }
                @for (link, name) in way { li { a href=(link) { (name) } } }
            }
        }
    }
}
