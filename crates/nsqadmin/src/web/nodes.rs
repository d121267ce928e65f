//! All nsqd of the cluster.

use std::cmp::Ordering;

use maud::{Markup, html};
use nsq_api::cluster::{Daemons, Node};
use nsq_app::http::{Failure, Request};

use super::figures;
use super::frame::{Content, Section};
use super::listing::{Kind, Listing};
use super::page::Page;
use super::visit::Visit;
use crate::admin::Admin;
use crate::overview::{NodeOverview, Overview};
use crate::upstream::{Warnings, failed};

/// How many topics of a node are named; the others are on its page.
const TOPICS_MAX: usize = 20;

/// The page of all nodes.
pub(super) struct NodesPage {
    listing: Listing,
}

/// What goes for all rows.
struct Look<'a> {
    overview: Option<&'a Overview>,
    /// How many nsqlookupd there are; without any, nobody says who connects to them.
    lookupd_count: usize,
}

impl Page for NodesPage {
    fn of(request: &Request) -> Result<Self, Failure> {
        Ok(Self { listing: Listing::of(&request.query()?)? })
    }

    async fn content(&self, admin: &Admin, visit: &Visit) -> Result<Content, Failure> {
        let t = visit.language;
        let mut warnings = Warnings::default();
        let cluster = admin.cluster();
        let nodes = warnings.take(cluster.nodes().await).map_err(failed)?;
        let overview = admin.watch.overview();
        let lookupd_count = match cluster.entry() {
            Daemons::Lookupds => admin.lookupds.read().len(),
            Daemons::Nsqds => 0,
        };
        let look = Look { overview: overview.as_deref(), lookupd_count };
        let matches = |node: &&Node| {
            self.listing.matches(&node.hostname) || self.listing.matches(&node.http_address())
        };
        let rows: Vec<_> = nodes.iter().filter(matches).collect();
        let rows = self.listing.rows(rows, |column, a, b| look.compare(column, a, b));
        let body = html! {
            h1 { (t.nsqd_nodes()) " " span.count { (figures::count(nodes.len())) } }
            (self.listing.search(visit, t.search_nodes()))
            @if rows.total == 0 {
                p.notice { (if nodes.is_empty() { t.no_nodes() } else { t.nothing_matches() }) }
            } @else {
                (self.table(visit, &look, &rows.shown))
            }
            (self.listing.pager(visit, &rows))
        };
        Ok(Content { title: t.nodes().to_owned(), section: Section::Nodes, warnings, body })
    }
}

impl NodesPage {
    fn table(&self, visit: &Visit, look: &Look<'_>, rows: &[&Node]) -> Markup {
        let t = visit.language;
        let head = |key, label, kind| self.listing.head(visit, key, label, kind);
        html! {
            div.wide { table aria-label=(t.nodes()) {
                thead { tr {
                    (head("hostname", t.hostname(), Kind::Name))
                    (head("address", t.broadcast_address(), Kind::Name))
                    th.figure scope="col" { (t.tcp_port()) }
                    th.figure scope="col" { (t.http_port()) }
                    (head("version", t.version(), Kind::Name))
                    @if look.lookupd_count > 0 { th scope="col" { (t.lookupd_connections()) } }
                    @if look.overview.is_some() {
                        th scope="col" { (t.state()) }
                        (head("rate", t.messages_per_second(), Kind::Figure))
                        (head("depth", t.depth(), Kind::Figure))
                    }
                    (head("topics", t.topics(), Kind::List))
                } }
                tbody { @for node in rows { (row(visit, look, node)) } }
            } }
        }
    }
}

impl Look<'_> {
    fn seen(&self, node: &Node) -> Option<&NodeOverview> {
        self.overview?.nodes.iter().find(|seen| seen.node.address == node.address)
    }

    fn compare(&self, column: &str, a: &Node, b: &Node) -> Ordering {
        let rate = |node| self.seen(node).map_or(-1.0, |seen| seen.rate);
        let depth = |node| self.seen(node).map(|seen| seen.depth);
        match column {
            "hostname" => a.hostname.cmp(&b.hostname),
            "address" => a.http_address().cmp(&b.http_address()),
            "version" => a.version.cmp(&b.version),
            "rate" => rate(a).total_cmp(&rate(b)),
            "depth" => depth(a).cmp(&depth(b)),
            "topics" => a.topics.len().cmp(&b.topics.len()),
            _ => Ordering::Equal,
        }
    }
}

fn row(visit: &Visit, look: &Look<'_>, node: &Node) -> Markup {
    let t = visit.language;
    let address = node.http_address();
    html! {
        tr id={ "node-" (address) } class=[node.is_out_of_date.then_some("old")] {
            th scope="row" { (node.hostname) (place(node)) }
            td { a href=(visit.node(&address)) title=(address) { (node.broadcast_address) } }
            td.figure { (node.tcp_port) }
            td.figure { (node.http_port) }
            td {
                (node.version)
                @if node.is_out_of_date { " " span.badge.warning { (t.out_of_date()) } }
            }
            @if look.lookupd_count > 0 { td { (lookupds(visit, look, node)) } }
            @if look.overview.is_some() { (state(visit, look.seen(node))) }
            td { (topics(visit, node, &address)) }
        }
    }
}

/// Zone and region, where a node tells them.
fn place(node: &Node) -> Markup {
    let places = [&node.topology_zone, &node.topology_region];
    let places = places.into_iter().filter(|place| !place.is_empty());
    html! { @for place in places { " " span.badge { (place) } } }
}

fn lookupds(visit: &Visit, look: &Look<'_>, node: &Node) -> Markup {
    let t = visit.language;
    let count = node.remote_addresses.len();
    let differs = count != look.lookupd_count;
    html! {
        details id={ "lookupds-" (node.http_address()) } {
            summary class=[differs.then_some("warning")] {
                (count)
                @if differs { " " (t.out_of(look.lookupd_count)) }
            }
            ul { @for address in &node.remote_addresses { li { (address) } } }
        }
    }
}

fn state(visit: &Visit, seen: Option<&NodeOverview>) -> Markup {
    let t = visit.language;
    let Some(seen) = seen else {
        return html! { td { "–" } td.figure { "–" } td.figure { "–" } };
    };
    let is_well = seen.health == "OK";
    html! {
        @if let Some(reason) = &seen.failure {
            td { span.badge.problem title=(reason) { (t.unreachable()) } }
            td.figure { "–" }
            td.figure { "–" }
        } @else {
            td { span.badge.problem[!is_well] { (seen.health) } }
            td.figure { (figures::rate(seen.rate)) }
            td.figure { (figures::count(seen.depth)) }
        }
    }
}

fn topics(visit: &Visit, node: &Node, address: &str) -> Markup {
    let t = visit.language;
    let others = node.topics.len().saturating_sub(TOPICS_MAX);
    html! {
        span.badge { (figures::count(node.topics.len())) }
        ul.topics {
            @for topic in node.topics.iter().take(TOPICS_MAX) {
                @let class = topic.is_tombstoned.then_some("warning");
                li {
                    a href=(visit.topic(&topic.name)) class=[class] { (topic.name) }
                    @if topic.is_tombstoned { " " span.badge.warning { (t.tombstoned()) } }
                }
            }
            @if others > 0 {
                li { a href=(visit.node(address)) { (t.and_others(&figures::count(others))) } }
            }
        }
    }
}
