//! One channel: its nodes and its consumers.

use maud::{Markup, html};
use nsq_app::http::{Failure, Request};

use super::actions::{Button, button};
use super::charts::charts;
use super::clients::clients;
use super::figures;
use super::frame::{Content, Section};
use super::graphs;
use super::latency::Quantiles;
use super::listing::Listing;
use super::outcome::{Outcome, done};
use super::page::Page;
use super::topic::{breadcrumb, host, memory_and_disk};
use super::visit::{Visit, is_ephemeral};
use crate::admin::Admin;
use crate::ask;
use crate::chart::Subject;
use crate::graphite::Nodes;
use crate::upstream::Warnings;
use crate::view::ChannelView;

/// The page of a channel.
pub(super) struct ChannelPage {
    topic: String,
    name: String,
    /// Of its consumers.
    listing: Listing,
    outcome: Option<Outcome>,
}

impl Page for ChannelPage {
    fn of(request: &Request) -> Result<Self, Failure> {
        let query = request.query()?;
        let (topic, name) = request.two_parameters().unwrap_or_default();
        let (topic, name) = (topic.to_owned(), name.to_owned());
        let (listing, outcome) = (Listing::of(&query)?, Outcome::of(&query));
        Ok(Self { topic, name, listing, outcome })
    }

    async fn content(&self, admin: &Admin, visit: &Visit) -> Result<Content, Failure> {
        let mut warnings = Warnings::default();
        let names = (&*self.topic, &*self.name);
        let channel = ask::channel(&admin.cluster(), names, &mut warnings).await?;
        let subject = Subject::Channel(self.topic.clone(), self.name.clone());
        let t = visit.language;
        let body = html! {
            (breadcrumb(visit, &[(visit.topic(&self.topic), &self.topic)]))
            h1 {
                (t.channel()) ": " (self.name)
                @if channel.paused { " " span.badge.paused { (t.paused()) } }
                @if is_ephemeral(&self.name) { " " span.badge { (t.ephemeral()) } }
            }
            (done(visit, self.outcome))
            @if visit.is_admin { (self.actions(visit, &channel)) }
            @if channel.nodes.is_none() { p.notice { (t.no_nodes_of_channel()) " "
                a href=(visit.link("/lookup")) { (t.lookup()) } } }
            (charts(visit, admin.watch.chart(&subject).as_ref(), &subject))
            @if let Some(nodes) = &channel.nodes { (nodes_table(visit, &channel, nodes)) }
            section aria-labelledby="clients" {
                h2 #clients { (t.client_connections()) }
                (clients(visit, &self.listing, channel.clients.as_deref().unwrap_or_default()))
            }
        };
        let title = format!("{}/{}", self.topic, self.name);
        Ok(Content { title, section: Section::Topics, warnings, body })
    }
}

impl ChannelPage {
    fn actions(&self, visit: &Visit, channel: &ChannelView) -> Markup {
        let t = visit.language;
        let link = visit.channel(&self.topic, &self.name);
        let action = |action: &'static str, label: &'static str, question: Option<String>| {
            let fields = [("action", action)];
            button(visit, &Button { link: link.clone(), fields: &fields, label, question, of: "" })
        };
        let name = &self.name;
        html! {
            div.actions {
                @if channel.paused {
                    (action("unpause", t.unpause_channel(), None))
                } @else {
                    (action("pause", t.pause_channel(), Some(t.pause_channel_question(name))))
                }
                (action("empty", t.empty_queue(), Some(t.empty_channel_question(name))))
                (action("delete", t.delete_channel(), Some(t.delete_channel_question(name))))
            }
        }
    }
}

fn nodes_table(visit: &Visit, total: &ChannelView, nodes: &[ChannelView]) -> Markup {
    let t = visit.language;
    let quantiles = Quantiles::of(total.e2e_processing_latency.as_ref());
    let names = (&*total.topic_name, &*total.channel_name);
    let figures = [
        t.depth(),
        t.memory_and_disk(),
        t.in_flight(),
        t.deferred(),
        t.requeued(),
        t.timed_out(),
        t.messages(),
        t.connections(),
    ];
    html! {
        section aria-labelledby="queue" {
            h2 #queue { (t.channel_queue()) }
            div.wide { table aria-labelledby="queue" {
                thead {
                    tr.groups {
                        td {}
                        th scope="colgroup" colspan="4" { (t.message_queues()) }
                        th scope="colgroup" colspan="4" { (t.statistics()) }
                        @if quantiles.count() > 0 {
                            th scope="colgroup" colspan=(quantiles.count()) { (t.latency()) }
                        }
                    }
                    tr {
                        th scope="col" { (t.nsqd_host()) }
                        @for name in figures { th.figure scope="col" { (name) } }
                        (quantiles.heads(visit))
                    }
                }
                tbody {
                    @for node in nodes {
                        tr id={ "node-" (node.node) } {
                            th scope="row" {
                                (host(visit, &node.hostname, &node.node))
                                @if node.paused { " " span.badge.paused { (t.paused()) } }
                            }
                            (figures_of(node, &quantiles))
                        }
                        (graphs::channel_row(visit, names, Nodes::One(&node.node), &quantiles))
                    }
                }
                tfoot {
                    tr { th scope="row" { (t.total()) } (figures_of(total, &quantiles)) }
                    (graphs::channel_row(visit, names, Nodes::All, &quantiles))
                }
            } }
        }
    }
}

fn figures_of(channel: &ChannelView, quantiles: &Quantiles) -> Markup {
    let counts = [
        figures::count(channel.depth),
        memory_and_disk(channel.memory_depth, channel.backend_depth),
        figures::count(channel.in_flight_count),
        figures::count(channel.deferred_count),
        figures::count(channel.requeue_count),
        figures::count(channel.timeout_count),
        figures::count(channel.message_count),
        figures::count(channel.client_count),
    ];
    html! {
        @for count in counts { td.figure { (count) } }
        (quantiles.cells(channel.e2e_processing_latency.as_ref()))
    }
}
