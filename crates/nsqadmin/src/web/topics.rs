//! All topics, and how the cluster is.

use std::collections::BTreeMap;

use maud::{Markup, html};
use nsq_app::http::{Failure, Request};

use super::charts::charts;
use super::figures;
use super::findings::{findings, time};
use super::frame::{Content, Section};
use super::graphs;
use super::listing::{Kind, Listing, Rows};
use super::outcome::{Outcome, done};
use super::page::Page;
use super::visit::{Visit, is_ephemeral};
use crate::admin::Admin;
use crate::chart::Subject;
use crate::graphite::Figure;
use crate::overview::{Overview, TopicOverview};
use crate::upstream::{Warnings, failed};

/// The start page.
pub(super) struct TopicsPage {
    listing: Listing,
    outcome: Option<Outcome>,
}

/// A topic of the list.
struct Row<'a> {
    name: &'a str,
    /// Unknown before the first look at the cluster, and for those that no nsqd has.
    seen: Option<&'a TopicOverview>,
}

impl Page for TopicsPage {
    fn of(request: &Request) -> Result<Self, Failure> {
        let query = request.query()?;
        Ok(Self { listing: Listing::of(&query)?, outcome: Outcome::of(&query) })
    }

    async fn content(&self, admin: &Admin, visit: &Visit) -> Result<Content, Failure> {
        let overview = admin.watch.overview();
        let mut warnings = Warnings::default();
        let names = warnings.take(admin.cluster().topics().await).map_err(failed)?;
        let seen = overview.as_deref().map(|overview| &overview.topics);
        let mut rows: BTreeMap<&str, Option<&TopicOverview>> = BTreeMap::new();
        rows.extend(names.iter().map(|name| (&**name, None)));
        rows.extend(seen.into_iter().flatten().map(|(name, topic)| (&**name, Some(topic))));
        let count = rows.len();
        let rows = rows.into_iter().filter(|(name, _)| self.listing.matches(name));
        let rows = rows.map(|(name, seen)| Row { name, seen }).collect();
        let rows = self.listing.rows(rows, |column, a, b| {
            let figure = |row: &Row<'_>| row.seen.map(|topic| figure_of(column, topic));
            match column {
                "name" => a.name.cmp(b.name),
                "rate" => rate_of(a).total_cmp(&rate_of(b)),
                _ => figure(a).cmp(&figure(b)),
            }
        });
        Ok(Content {
            title: visit.language.topics().to_owned(),
            section: Section::Topics,
            warnings,
            body: self.body(admin, visit, overview.as_deref(), (&rows, count)),
        })
    }
}

impl TopicsPage {
    fn body(
        &self,
        admin: &Admin,
        visit: &Visit,
        overview: Option<&Overview>,
        (rows, count): (&Rows<Row<'_>>, usize),
    ) -> Markup {
        let t = visit.language;
        html! {
            h1 { (t.topics()) " " span.count { (figures::count(count)) } }
            (done(visit, self.outcome))
            @if let Some(overview) = overview {
                (findings(visit, overview))
                (charts(visit, admin.watch.chart(&Subject::Cluster).as_ref(), &Subject::Cluster))
            } @else if admin.watch.is_on() {
                p.notice { (t.first_look_comes()) }
            }
            (self.listing.search(visit, t.search_topics()))
            @if rows.total == 0 {
                p.notice { (if count == 0 { t.no_topics() } else { t.nothing_matches() }) }
            } @else {
                (self.table(visit, rows, overview.is_some()))
            }
            (self.listing.pager(visit, rows))
            @if let Some(overview) = overview {
                p.seen { (t.as_of()) " " (time(overview.taken)) }
            }
        }
    }

    fn table(&self, visit: &Visit, rows: &Rows<Row<'_>>, is_seen: bool) -> Markup {
        let t = visit.language;
        let head = |key, label, kind| self.listing.head(visit, key, label, kind);
        html! {
            div.wide { table aria-label=(t.topics()) {
                thead { tr {
                    (head("name", t.topic(), Kind::Name))
                    (head("depth", t.depth(), Kind::Figure))
                    (head("in_flight", t.in_flight(), Kind::Figure))
                    (head("rate", t.messages_per_second(), Kind::Figure))
                    (head("messages", t.messages(), Kind::Figure))
                    (head("channels", t.channels(), Kind::Figure))
                    (head("consumers", t.consumers(), Kind::Figure))
                    (head("nodes", t.nodes(), Kind::Figure))
                } }
                tbody { @for row in &rows.shown { (row_of(visit, row, is_seen)) } }
            } }
        }
    }
}

/// `is_seen` tells whether the cluster was looked at yet.
fn row_of(visit: &Visit, row: &Row<'_>, is_seen: bool) -> Markup {
    let t = visit.language;
    html! {
        tr id={ "topic-" (row.name) } {
            th scope="row" {
                a href=(visit.topic(row.name)) { (row.name) }
                @if row.seen.is_some_and(|topic| topic.paused) {
                    " " span.badge.paused { (t.paused()) }
                }
                @if is_ephemeral(row.name) { " " span.badge { (t.ephemeral()) } }
            }
            @if let Some(topic) = row.seen {
                @for column in ["depth", "in_flight", "rate", "messages", "channels",
                    "consumers", "nodes"] {
                    td.figure {
                        @if column == "rate" { (figures::rate(topic.rate)) }
                        @else { (figures::count(figure_of(column, topic))) }
                        @if column == "depth" {
                            (graphs::of_topic(visit, row.name, Figure::Depth))
                        } @else if column == "messages" {
                            (graphs::of_topic(visit, row.name, Figure::Messages))
                        }
                    }
                }
            } @else {
                // Graphite can know more: what was, and what is when nobody looks.
                td.unknown colspan="7" {
                    (if is_seen { t.on_no_node() } else { "–" }) " "
                    (graphs::of_topic(visit, row.name, Figure::Depth)) " "
                    (graphs::of_topic(visit, row.name, Figure::Messages))
                }
            }
        }
    }
}

/// What a column shows, but for rates.
fn figure_of(column: &str, topic: &TopicOverview) -> i128 {
    let channels = || topic.channels.values();
    match column {
        "depth" => topic.total_depth().into(),
        "in_flight" => channels().map(|channel| i128::from(channel.in_flight_count)).sum(),
        "messages" => topic.message_count.into(),
        "channels" => topic.channels.len() as i128,
        "consumers" => channels().map(|channel| i128::from(channel.client_count)).sum(),
        "nodes" => topic.node_count as i128,
        _ => 0,
    }
}

fn rate_of(row: &Row<'_>) -> f64 {
    row.seen.map_or(-1.0, |topic| topic.rate)
}
