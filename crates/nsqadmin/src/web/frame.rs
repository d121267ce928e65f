//! What surrounds the content of every page.

use maud::{DOCTYPE, Markup, html};
use nsq_app::http::{Answer, HeaderValue};

use super::assets::{self, Asset};
use super::graphs;
use super::visit::Visit;
use crate::admin::Admin;
use crate::upstream::Warnings;

/// What a page shows.
pub(super) struct Content {
    pub(super) title: String,
    pub(super) section: Section,
    /// Who did not answer.
    pub(super) warnings: Warnings,
    pub(super) body: Markup,
}

/// What the bar on top leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Topics,
    Nodes,
    Counter,
    Lookup,
}

/// htmx evaluates nothing, adds no styles of its own, which the policy would refuse, and keeps no
/// copies of pages, which would be old.
const HTMX_CONFIG: &str = concat!(
    r#"{"allowEval":false,"includeIndicatorStyles":false,"historyCacheSize":0,"#,
    r#""refreshOnHistoryMiss":true}"#
);

/// Nothing comes from elsewhere, and nothing that stands in the page itself is run. Pictures come
/// last, because there can be others who have some.
const POLICY: &str = concat!(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; ",
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; img-src 'self'",
);

/// The whole page, which stays as it is.
pub(super) fn page(admin: &Admin, visit: &Visit, content: &Content) -> Answer {
    framed(admin, visit, content, None)
}

/// The whole page, which follows what it shows.
pub(super) fn live_page(admin: &Admin, visit: &Visit, content: &Content) -> Answer {
    framed(admin, visit, content, Some(live(visit)))
}

fn framed(admin: &Admin, visit: &Visit, content: &Content, live: Option<String>) -> Answer {
    let t = visit.language;
    let markup = html! {
        (DOCTYPE)
        html lang=(t.tag()) {
            (head(visit, &content.title))
            body hx-ext="morph" {
                a.skip href="#main" { (t.skip_to_content()) }
                (bar(visit, content.section))
                // Filled by the script while there are no live updates.
                p.stale #stale role="status" data-text=(t.not_up_to_date())
                    data-lost=(t.nsqadmin_is_silent()) {}
                main #main tabindex="-1" data-live=[live] {
                    (inner(visit, content))
                }
                (foot(admin, visit))
            }
        }
    };
    dressed(visit, markup)
}

/// What is inside of `<main>`: all that changes while a page is looked at.
pub(super) fn inner(visit: &Visit, content: &Content) -> Markup {
    let warning = content.warnings.message();
    html! {
        @if !warning.is_empty() {
            div.notice.warning #warnings role="status" {
                p { (visit.language.some_did_not_answer()) }
                pre { (warning.trim_start_matches("WARNING: ")) }
            }
        }
        (content.body)
    }
}

/// HTML with what goes with it, so that no browser lets anybody else meddle.
pub(super) fn dressed(visit: &Visit, markup: Markup) -> Answer {
    let fixed = |text| HeaderValue::from_static(text);
    let answer = Answer::of_type("text/html; charset=utf-8", markup.into_string())
        .with_header("x-content-type-options", fixed("nosniff"))
        .with_header("x-frame-options", fixed("DENY"))
        .with_header("referrer-policy", fixed("same-origin"))
        .with_header("vary", fixed("Accept-Language, Cookie"))
        .with_header("cache-control", fixed("no-store"))
        .with_header("content-security-policy", policy(visit));
    let (path, is_https) = (visit.cookie_path(), visit.is_https);
    let token = visit.token.cookie(path, is_https).filter(|_| visit.is_admin);
    let timeframe = visit.graphs.as_ref().and_then(|graphs| graphs.cookie(path, is_https));
    // Cookies are made of our own path and letters.
    let cookies = token.into_iter().chain(timeframe);
    let cookies = cookies.filter_map(|cookie| HeaderValue::from_str(&cookie).ok());
    cookies.fold(answer, |answer, cookie| answer.with_header("set-cookie", cookie))
}

fn policy(visit: &Visit) -> HeaderValue {
    let origin = visit.graphs.as_ref().and_then(|graphs| graphs.origin());
    let policy = origin.and_then(|origin| HeaderValue::try_from(format!("{POLICY} {origin}")).ok());
    policy.unwrap_or(HeaderValue::from_static(POLICY))
}

/// Where a page hears of what has changed.
fn live(visit: &Visit) -> String {
    let separator = if visit.target.contains('?') { '&' } else { '?' };
    format!("{}{separator}live", visit.target)
}

fn head(visit: &Visit, title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="htmx-config" content=(HTMX_CONFIG);
            title { (title) " · nsqadmin" }
            link rel="icon" type="image/svg+xml" href=(link(visit, &assets::ICON));
            link rel="stylesheet" href=(link(visit, &assets::PLOT_STYLE));
            link rel="stylesheet" href=(link(visit, &assets::STYLE));
            @for script in [&assets::HTMX, &assets::MORPH, &assets::PLOT, &assets::SCRIPT] {
                script defer src=(link(visit, script)) {}
            }
        }
    }
}

fn link(visit: &Visit, asset: &Asset) -> String {
    visit.link(&format!("/static/{}?v={:08x}", asset.name, asset.check()))
}

fn bar(visit: &Visit, section: Section) -> Markup {
    let t = visit.language;
    let sections = [
        (Section::Topics, visit.home(), t.topics()),
        (Section::Nodes, visit.link("/nodes"), t.nodes()),
        (Section::Counter, visit.link("/counter"), t.counter()),
        (Section::Lookup, visit.link("/lookup"), t.lookup()),
    ];
    html! {
        header.bar {
            a.brand href=(visit.home()) { "NSQ" }
            nav aria-label=(t.main_navigation()) {
                ul {
                    @for (of, link, name) in sections {
                        @let current = (of == section).then_some("page");
                        li { a href=(link) aria-current=[current] { (name) } }
                    }
                }
            }
            div.tools {
                (graphs::selector(visit))
                // Both work only with scripting, and are shown by it.
                button #theme type="button" hidden { (t.light_or_dark()) }
                button #freeze type="button" hidden data-frozen=(t.live_updates_stopped()) {
                    (t.live())
                }
                a href="https://nsq.io/" rel="noreferrer" { (t.documentation()) }
                span.version { "v" (nsq_app::version::NSQ_VERSION) }
            }
        }
    }
}

fn foot(admin: &Admin, visit: &Visit) -> Markup {
    let t = visit.language;
    html! {
        footer {
            @if admin.lookupds.read().is_empty() {
                p { (t.asks_nsqds(admin.options.nsqd_http_addresses.len())) }
            } @else {
                p { (t.asks_lookupds(admin.lookupds.read().len())) }
            }
            noscript { p { (t.without_scripting()) } }
            dialog #confirm aria-labelledby="confirm-title" aria-describedby="confirm-text" {
                form method="dialog" {
                    h2 #confirm-title { (t.are_you_sure()) }
                    p #confirm-text {}
                    p.buttons {
                        button value="cancel" autofocus { (t.cancel()) }
                        button.danger value="yes" #confirm-yes {}
                    }
                }
            }
        }
    }
}
