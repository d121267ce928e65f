//! The table of a channel's consumers. What they say of themselves may be anything.

use std::cmp::Ordering;

use maud::{Markup, html};

use super::figures;
use super::listing::{Kind, Listing};
use super::visit::Visit;
use crate::view::ClientView;

/// What a column is sorted by.
type Figure = (&'static str, fn(&ClientView) -> i128);

const FIGURES: [Figure; 6] = [
    ("in_flight", |client| client.in_flight_count as i128),
    ("ready", |client| client.ready_count as i128),
    ("finished", |client| client.finish_count as i128),
    ("requeued", |client| client.requeue_count as i128),
    ("messages", |client| client.message_count as i128),
    ("connected", |client| client.connected as i128),
];

/// The consumers; a sentence if there are none.
pub(super) fn clients(visit: &Visit, listing: &Listing, clients: &[ClientView]) -> Markup {
    let t = visit.language;
    if clients.is_empty() {
        return html! { p.notice { (t.no_clients()) } };
    }
    let matches = |client: &&ClientView| {
        let texts = [&client.hostname, &client.client_id, &client.user_agent, &client.node];
        texts.iter().any(|text| listing.matches(text))
    };
    let rows = listing.rows(clients.iter().filter(matches).collect(), compare);
    html! {
        (listing.search(visit, t.search_clients()))
        @if rows.total == 0 { p.notice { (t.nothing_matches()) } }
        @else { (table(visit, listing, &rows.shown)) }
        (listing.pager(visit, &rows))
    }
}

fn compare(column: &str, a: &&ClientView, b: &&ClientView) -> Ordering {
    match column {
        "host" => a.hostname.cmp(&b.hostname),
        "agent" => a.user_agent.cmp(&b.user_agent),
        "node" => a.node.cmp(&b.node),
        _ => {
            let figure = FIGURES.iter().find(|(key, _)| *key == column);
            figure.map_or(Ordering::Equal, |(_, figure)| figure(a).cmp(&figure(b)))
        }
    }
}

fn table(visit: &Visit, listing: &Listing, rows: &[&ClientView]) -> Markup {
    let t = visit.language;
    let head = |key, label, kind| listing.head(visit, key, label, kind);
    html! {
        div.wide { table aria-labelledby="clients" {
            thead { tr {
                (head("host", t.client_host(), Kind::Name))
                (head("agent", t.user_agent(), Kind::Name))
                th scope="col" { (t.attributes()) }
                (head("node", t.nsqd_host(), Kind::Name))
                (head("in_flight", t.in_flight(), Kind::Figure))
                (head("ready", t.ready_count(), Kind::Figure))
                (head("finished", t.finished(), Kind::Figure))
                (head("requeued", t.requeued(), Kind::Figure))
                (head("messages", t.messages(), Kind::Figure))
                (head("connected", t.connected(), Kind::Figure))
            } }
            tbody { @for client in rows { (row(visit, client)) } }
        } }
    }
}

fn row(visit: &Visit, client: &ClientView) -> Markup {
    html! {
        tr id={ "client-" (client.node) "-" (client.remote_address) } {
            th scope="row" { span title=(client.remote_address) { (name(client)) } }
            td { div.agent title=(client.user_agent) { (client.user_agent) } }
            td { (attributes(visit, client)) }
            td { a href=(visit.node(&client.node)) { (client.node) } }
            @for (key, figure) in &FIGURES {
                td.figure {
                    @if *key == "connected" { (figures::duration(client.connected as f64)) }
                    @else { (figures::count(figure(client))) }
                }
            }
        }
    }
}

/// `host:port (id)`; the id only if it says more than the host.
pub(super) fn name(client: &ClientView) -> String {
    let port = client.remote_address.rsplit_once(':').map_or("", |(_, port)| port);
    let host = &client.hostname;
    let first_label = host.split('.').next().unwrap_or_default();
    let id = &client.client_id;
    if id == host || id == first_label || id.is_empty() {
        format!("{host}:{port}")
    } else {
        format!("{host}:{port} ({id})")
    }
}

/// Badges for how a client is connected.
pub(super) fn attributes(visit: &Visit, client: &ClientView) -> Markup {
    let t = visit.language;
    let tls = || {
        let protocol = match &*client.tls_negotiated_protocol {
            "" => String::new(),
            protocol => format!(" {protocol}"),
        };
        format!("{} {}{protocol}", client.tls_version, client.tls_cipher_suite)
    };
    html! {
        @if client.sample_rate > 0 { span.badge { (t.sampled(client.sample_rate)) } " " }
        @if client.tls { span.badge title=(tls()) { "TLS" } " " }
        @if client.deflate { span.badge { "Deflate" } " " }
        @if client.snappy { span.badge { "Snappy" } " " }
        @if client.authed {
            span.badge title=(t.authenticated()) {
                @if is_web(&client.auth_identity_url) {
                    a href=(client.auth_identity_url) rel="noreferrer noopener" {
                        (identity(client))
                    }
                } @else { (identity(client)) }
            }
        }
    }
}

fn identity(client: &ClientView) -> &str {
    if client.auth_identity.is_empty() { "AUTH" } else { &client.auth_identity }
}

/// Whether a link leads to a page: there are others that run what stands in them.
fn is_web(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::is_web;

    #[test]
    fn links_that_run_something_are_none() {
        for (url, expected) in [
            ("https://a/b", true),
            ("HTTP://a", true),
            ("", false),
            ("javascript:alert(1)", false),
            ("javascript://a/%0aalert(1)", false),
            ("data:text/html,x", false),
            (" javascript:x", false),
        ] {
            assert_eq!(is_web(url), expected, "{url}");
        }
    }
}
