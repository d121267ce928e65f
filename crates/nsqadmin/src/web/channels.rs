//! The table of a topic's channels.

use std::cmp::Ordering;

use maud::{Markup, html};

use super::figures;
use super::graphs;
use super::latency::Quantiles;
use super::listing::{Kind, Listing};
use super::topic::memory_and_disk;
use super::visit::{Visit, is_ephemeral};
use crate::graphite::Nodes;
use crate::view::ChannelView;

/// What a column is sorted by: how it is called in links, and how two rows compare.
type Figure = (&'static str, fn(&ChannelView) -> i128);

const FIGURES: [Figure; 7] = [
    ("depth", |channel| channel.depth as i128),
    ("in_flight", |channel| channel.in_flight_count as i128),
    ("deferred", |channel| channel.deferred_count as i128),
    ("requeued", |channel| channel.requeue_count as i128),
    ("timed_out", |channel| channel.timeout_count as i128),
    ("messages", |channel| channel.message_count as i128),
    ("connections", |channel| channel.client_count as i128),
];

/// The channels; a sentence if there are none.
pub(super) fn channels(
    visit: &Visit,
    listing: &Listing,
    topic: &str,
    channels: Option<&[ChannelView]>,
) -> Markup {
    let t = visit.language;
    let all = channels.unwrap_or_default();
    let matching = all.iter().filter(|channel| listing.matches(&channel.channel_name)).collect();
    let rows = listing.rows(matching, compare);
    html! {
        section aria-labelledby="channels" {
            h2 #channels { (t.channel_queues()) }
            @if all.is_empty() {
                p.notice { (t.no_channels()) }
            } @else {
                (listing.search(visit, t.search_channels()))
                @if rows.total == 0 { p.notice { (t.nothing_matches()) } }
                @else { (table(visit, listing, topic, &rows.shown)) }
                (listing.pager(visit, &rows))
            }
        }
    }
}

fn compare(column: &str, a: &&ChannelView, b: &&ChannelView) -> Ordering {
    if column == "name" {
        return a.channel_name.cmp(&b.channel_name);
    }
    let figure = FIGURES.iter().find(|(key, _)| *key == column);
    figure.map_or(Ordering::Equal, |(_, figure)| figure(a).cmp(&figure(b)))
}

fn table(visit: &Visit, listing: &Listing, topic: &str, rows: &[&ChannelView]) -> Markup {
    let t = visit.language;
    let latency = rows.iter().find_map(|channel| channel.e2e_processing_latency.as_ref());
    let quantiles = Quantiles::of(latency);
    let head = |key, label| listing.head(visit, key, label, Kind::Figure);
    html! {
        div.wide { table aria-labelledby="channels" {
            thead { tr {
                (listing.head(visit, "name", t.channel(), Kind::Name))
                (head("depth", t.depth()))
                th.figure scope="col" { (t.memory_and_disk()) }
                (head("in_flight", t.in_flight()))
                (head("deferred", t.deferred()))
                (head("requeued", t.requeued()))
                (head("timed_out", t.timed_out()))
                (head("messages", t.messages()))
                (head("connections", t.connections()))
                (quantiles.heads(visit))
            } }
            tbody { @for channel in rows { (row(visit, topic, channel, &quantiles)) } }
        } }
    }
}

fn row(visit: &Visit, topic: &str, channel: &ChannelView, quantiles: &Quantiles) -> Markup {
    let t = visit.language;
    let name = &channel.channel_name;
    html! {
        tr id={ "channel-" (name) } {
            th scope="row" {
                a href=(visit.channel(topic, name)) { (name) }
                @if channel.paused { " " span.badge.paused { (t.paused()) } }
                @if is_ephemeral(name) { " " span.badge { (t.ephemeral()) } }
            }
            td.figure { (figures::count(channel.depth)) }
            td.figure { (memory_and_disk(channel.memory_depth, channel.backend_depth)) }
            @for (_, figure) in &FIGURES[1..] { td.figure { (figures::count(figure(channel))) } }
            (quantiles.cells(channel.e2e_processing_latency.as_ref()))
        }
        (graphs::channel_row(visit, (topic, name), Nodes::All, quantiles))
    }
}
