//! What nsqlookupd knows and nobody serves, and the form to create a topic.

use std::cmp::Ordering;

use maud::{Markup, html};
use nsq_api::cluster::Daemons;
use nsq_app::http::{Failure, Request};

use super::actions::{Button, button, hidden};
use super::figures;
use super::frame::{Content, Section};
use super::listing::Listing;
use super::outcome::{Outcome, done};
use super::page::Page;
use super::visit::Visit;
use crate::admin::Admin;
use crate::ask::{self, Channels};
use crate::upstream::Warnings;

/// The page about nsqlookupd.
pub(super) struct LookupPage {
    /// Of inactive topics.
    listing: Listing,
    outcome: Option<Outcome>,
}

impl Page for LookupPage {
    fn of(request: &Request) -> Result<Self, Failure> {
        let query = request.query()?;
        Ok(Self { listing: Listing::of(&query)?, outcome: Outcome::of(&query) })
    }

    async fn content(&self, admin: &Admin, visit: &Visit) -> Result<Content, Failure> {
        let t = visit.language;
        let mut warnings = Warnings::default();
        let cluster = admin.cluster();
        let has_lookupds = cluster.entry() == Daemons::Lookupds;
        let lookupds = if has_lookupds { admin.lookupds.read().clone() } else { Vec::new() };
        let names = ask::inactive_topics(&cluster, &mut warnings).await?;
        let matching = names.iter().filter(|topic| self.listing.matches(topic)).cloned();
        let rows = self.listing.rows(matching.collect(), |_, _, _| Ordering::Equal);
        let channels = ask::channels_of(&cluster, rows.shown.clone(), &mut warnings).await?;
        let body = html! {
            h1 { (t.lookup()) }
            (done(visit, self.outcome))
            @if has_lookupds {
                h2 { (t.lookupd_hosts()) }
                ul { @for address in &lookupds { li { (address) } } }
                h2 { (t.inactive_topics()) " " span.count { (figures::count(names.len())) } }
                @if names.is_empty() {
                    p.notice { (t.no_inactive_topics()) }
                } @else {
                    (self.listing.search(visit, t.search_topics()))
                    @if rows.total == 0 { p.notice { (t.nothing_matches()) } }
                    (inactive(visit, &channels))
                    (self.listing.pager(visit, &rows))
                }
            } @else {
                p.notice { (t.no_lookupds()) }
            }
            @if visit.is_admin { (creation(visit)) }
        };
        Ok(Content { title: t.lookup().to_owned(), section: Section::Lookup, warnings, body })
    }
}

fn inactive(visit: &Visit, topics: &Channels) -> Markup {
    html! {
        ul.inactive {
            @for (topic, channels) in topics {
                li id={ "inactive-" (topic) } {
                    div.title {
                        a href=(visit.topic(topic)) { (topic) }
                        (delete_topic(visit, topic))
                    }
                    @if !channels.is_empty() { ul {
                        @for channel in channels {
                            li { div.title {
                                a href=(visit.channel(topic, channel)) { (channel) }
                                (delete_channel(visit, topic, channel))
                            } }
                        }
                    } }
                }
            }
        }
    }
}

fn delete_topic(visit: &Visit, topic: &str) -> Markup {
    let t = visit.language;
    let fields = [("action", "delete"), ("back", "lookup")];
    let (link, question) = (visit.topic(topic), Some(t.delete_topic_question(topic)));
    let delete = Button { link, fields: &fields, label: t.delete_topic(), question, of: topic };
    html! { @if visit.is_admin { (button(visit, &delete)) } }
}

fn delete_channel(visit: &Visit, topic: &str, channel: &str) -> Markup {
    let t = visit.language;
    let fields = [("action", "delete"), ("back", "lookup")];
    let (link, question) =
        (visit.channel(topic, channel), Some(t.delete_channel_question(channel)));
    let delete = Button { link, fields: &fields, label: t.delete_channel(), question, of: channel };
    html! { @if visit.is_admin { (button(visit, &delete)) } }
}

fn creation(visit: &Visit) -> Markup {
    let t = visit.language;
    // What nsqd takes for a name.
    let pattern = "[.a-zA-Z0-9_\\-]{1,64}(#ephemeral)?";
    html! {
        section aria-labelledby="create" {
            h2 #create { (t.create_topic_or_channel()) }
            form.create method="post" action=(visit.link("/topics")) {
                (hidden(visit, &[]))
                p {
                    label for="topic" { (t.topic()) }
                    input #topic name="topic" required maxlength="64" pattern=(pattern)
                        autocomplete="off" title=(t.name_rule());
                }
                p {
                    label for="channel" { (t.channel_optional()) }
                    input #channel name="channel" maxlength="64" pattern=(pattern)
                        autocomplete="off" title=(t.name_rule());
                }
                p.buttons { button type="submit" { (t.create()) } }
            }
        }
    }
}
