//! Pictures that graphite draws, beside the figures that they belong to.

use std::sync::Arc;

use maud::{Markup, html};
use nsq_app::http::{Query, Request};

use super::cookies::cookie;
use super::latency::Quantiles;
use super::visit::Visit;
use crate::admin::Admin;
use crate::graphite::{CHOICES, Figure, Memory, Nodes, Picture, Series, Size, Timeframe};
use crate::graphs::Graphs;

/// What somebody wants to see of graphs.
#[derive(Clone, Debug)]
pub(super) struct GraphChoice {
    graphs: Arc<Graphs>,
    timeframe: Timeframe,
    /// The browser has not heard of it.
    is_new: bool,
    /// What else the query says of the page.
    kept: Vec<(&'static str, String)>,
}

const COOKIE_NAME: &str = "nsqadmin_timeframe";
/// A year.
const COOKIE_AGE_S: u32 = 365 * 24 * 3600;
/// What of a query stays when another time frame is chosen.
const KEPT: [&str; 3] = ["match", "sort", "page"];

/// What a picture is of, in words.
struct Words<'a> {
    figure: &'a str,
    subject: &'a str,
}

impl GraphChoice {
    /// By `t` in the query, else by the cookie; two hours otherwise. None if there are no graphs.
    pub(super) fn of(admin: &Admin, request: &Request) -> Option<Self> {
        let graphs = Arc::clone(admin.graphs.as_ref()?);
        let query = request.query().ok();
        let asked = |key| query.as_ref().and_then(|query: &Query<'_>| query.first(key));
        let known = cookie(request.headers(), COOKIE_NAME).and_then(Timeframe::parse);
        let chosen = asked("t").and_then(|text| Timeframe::parse(&text));
        let kept = KEPT.iter().filter_map(|&key| Some((key, asked(key)?.into_owned())));
        Some(Self {
            graphs,
            timeframe: chosen.or(known).unwrap_or_default(),
            is_new: chosen.is_some() && chosen != known,
            kept: kept.filter(|(_, value)| !value.is_empty()).collect(),
        })
    }

    /// The value of `Set-Cookie`, if the browser has to be told.
    pub(super) fn cookie(&self, path: &str, is_https: bool) -> Option<String> {
        let secure = if is_https { "; Secure" } else { "" };
        let name = self.timeframe.name();
        let attributes = format!("Max-Age={COOKIE_AGE_S}; HttpOnly; SameSite=Lax{secure}");
        self.is_new.then(|| format!("{COOKIE_NAME}={name}; Path={path}; {attributes}"))
    }

    /// Who may have pictures for our pages besides ourselves.
    pub(super) fn origin(&self) -> Option<&str> {
        self.graphs.other_origin()
    }
}

/// What is chosen, if graphs are shown, and how far back they reach.
fn shown(visit: &Visit) -> Option<(&Graphs, &'static str)> {
    let choice = visit.graphs.as_ref()?;
    match choice.timeframe {
        Timeframe::Last(span) => Some((&choice.graphs, span)),
        Timeframe::Off => None,
    }
}

/// The form to choose a time frame with; nothing without graphs.
pub(super) fn selector(visit: &Visit) -> Markup {
    let t = visit.language;
    let Some(choice) = &visit.graphs else { return html! {} };
    html! {
        form.timeframe method="get" action=(visit.path()) {
            @for (key, value) in &choice.kept { input type="hidden" name=(key) value=(value); }
            label for="timeframe" { (t.graphs()) }
            select #timeframe name="t" {
                @for other in CHOICES {
                    option value=(other.name()) selected[other == choice.timeframe] {
                        (match other { Timeframe::Last(span) => span, Timeframe::Off => t.off() })
                    }
                }
            }
            button type="submit" { (t.show()) }
        }
    }
}

/// A small picture that leads to the large one.
fn small(visit: &Visit, picture: &Picture<'_>, words: &Words<'_>) -> Markup {
    image(visit, picture, words, (Size::Small, Size::Small.pixels()))
}

/// A picture of this size, shown with so many pixels; nothing if graphs are off.
fn image(
    visit: &Visit,
    picture: &Picture<'_>,
    words: &Words<'_>,
    (size, (width, height)): (Size, (u32, u32)),
) -> Markup {
    let Some((graphs, span)) = shown(visit) else { return html! {} };
    let alt = visit.language.graph_of(words.figure, words.subject, span);
    html! {
        a.graph href=(graphs.link(picture, Size::Large, span)) {
            img src=(graphs.link(picture, size, span)) width=(width) height=(height) alt=(alt)
                loading="lazy" data-keep;
        }
    }
}

/// A figure of a topic on all nodes.
pub(super) fn of_topic(visit: &Visit, topic: &str, figure: Figure) -> Markup {
    let words = Words { figure: name(visit, figure), subject: topic };
    small(visit, &Picture { series: Series::Topic(topic, figure), nodes: Nodes::All }, &words)
}

/// A row under that of a topic on a node, or under their total, of the same columns; nothing if
/// graphs are off.
pub(super) fn topic_row(
    visit: &Visit,
    topic: &str,
    nodes: Nodes<'_>,
    quantiles: &Quantiles,
) -> Markup {
    let subject = subject(topic, nodes);
    let cell = |figure| {
        let words = Words { figure: name(visit, figure), subject: &subject };
        let series = Series::Topic(topic, figure);
        html! { td.figure { (small(visit, &Picture { series, nodes }, &words)) } }
    };
    let cells = html! {
        (cell(Figure::Depth)) td {} (cell(Figure::Messages)) td {}
        (latency(visit, (topic, None), nodes, quantiles))
        @if visit.is_admin { td {} }
    };
    row(visit, &format!("topic-{subject}"), &cells)
}

/// The same for a channel.
pub(super) fn channel_row(
    visit: &Visit,
    names: (&str, &str),
    nodes: Nodes<'_>,
    quantiles: &Quantiles,
) -> Markup {
    let subject = subject(&format!("{}/{}", names.0, names.1), nodes);
    let cell = |figure| {
        let words = Words { figure: name(visit, figure), subject: &subject };
        let series = Series::Channel(names, figure);
        html! { td.figure { (small(visit, &Picture { series, nodes }, &words)) } }
    };
    let behind = [
        Figure::InFlight,
        Figure::Deferred,
        Figure::Requeued,
        Figure::TimedOut,
        Figure::Messages,
        Figure::Clients,
    ];
    let cells = html! {
        (cell(Figure::Depth)) td {}
        @for figure in behind { (cell(figure)) }
        (latency(visit, (names.0, Some(names.1)), nodes, quantiles))
    };
    row(visit, &format!("channel-{subject}"), &cells)
}

fn row(visit: &Visit, id: &str, cells: &Markup) -> Markup {
    html! { @if shown(visit).is_some() { tr.graphs id={ "graphs-" (id) } { td {} (cells) } } }
}

/// One cell for all quantiles: they are lines of one picture.
fn latency(
    visit: &Visit,
    (topic, channel): (&str, Option<&str>),
    nodes: Nodes<'_>,
    quantiles: &Quantiles,
) -> Markup {
    if quantiles.count() == 0 {
        return html! {};
    }
    let name = channel.map_or(topic.to_owned(), |channel| format!("{topic}/{channel}"));
    let subject = subject(&name, nodes);
    let words = Words { figure: visit.language.latency(), subject: &subject };
    let series = Series::Latency(topic, channel, quantiles.values());
    let picture = Picture { series, nodes };
    html! { td.figure colspan=(quantiles.count()) { (small(visit, &picture, &words)) } }
}

/// Four pictures of a node.
pub(super) fn memory(visit: &Visit, node: &str) -> Markup {
    /// Of the large pictures, as they are shown here.
    const PIXELS: (u32, u32) = (200, 112);
    let t = visit.language;
    let pictures = [
        (Memory::Bytes, t.memory()),
        (Memory::CollectorPauses, t.collector_pauses()),
        (Memory::CollectorRuns, t.collector_runs()),
        (Memory::Objects, t.heap_objects()),
    ];
    let picture = |memory, figure| {
        let picture = Picture { series: Series::Memory(memory), nodes: Nodes::One(node) };
        image(visit, &picture, &Words { figure, subject: node }, (Size::Large, PIXELS))
    };
    html! {
        @if shown(visit).is_some() {
            section.graphs aria-label=(t.graphs()) {
                @for (memory, figure) in pictures {
                    figure { (picture(memory, figure)) figcaption { (figure) } }
                }
            }
        }
    }
}

/// One large picture of all messages.
pub(super) fn all_messages(visit: &Visit) -> Markup {
    let t = visit.language;
    let words = Words { figure: t.messages_per_second(), subject: t.all_channels() };
    let picture = Picture { series: Series::AllMessages, nodes: Nodes::All };
    html! {
        @if shown(visit).is_some() {
            p.graphs { (image(visit, &picture, &words, (Size::Large, Size::Large.pixels()))) }
        }
    }
}

fn subject(name: &str, nodes: Nodes<'_>) -> String {
    match nodes {
        Nodes::All => name.to_owned(),
        Nodes::One(node) => format!("{name}, {node}"),
    }
}

fn name(visit: &Visit, figure: Figure) -> &'static str {
    let t = visit.language;
    match figure {
        Figure::Depth => t.depth(),
        Figure::InFlight => t.in_flight(),
        Figure::Deferred => t.deferred(),
        Figure::Requeued => t.requeued(),
        Figure::TimedOut => t.timed_out(),
        Figure::Messages => t.messages(),
        Figure::Clients => t.connections(),
    }
}
