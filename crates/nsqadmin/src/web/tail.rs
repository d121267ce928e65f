//! The messages of a topic as they come.

use maud::html;
use nsq_app::http::{Failure, Request};

use super::frame::{Content, Section};
use super::page::Page;
use super::topic::breadcrumb;
use super::visit::{Visit, escaped};
use crate::access::forbidden;
use crate::admin::Admin;
use crate::ask;
use crate::request_names as names;
use crate::upstream::Warnings;

/// The page that the script fills.
pub(super) struct TailPage {
    topic: String,
}

impl Page for TailPage {
    /// The script fills it.
    const IS_LIVE: bool = false;

    fn of(request: &Request) -> Result<Self, Failure> {
        Ok(Self { topic: names::topic_of(request)?.to_string() })
    }

    async fn content(&self, admin: &Admin, visit: &Visit) -> Result<Content, Failure> {
        if !visit.is_admin {
            return Err(forbidden());
        }
        let mut warnings = Warnings::default();
        ask::topic_nodes(&admin.cluster(), &self.topic, &mut warnings).await?;
        let t = visit.language;
        let source = visit.link(&format!("/api/topics/{}/tail", escaped(&self.topic)));
        let body = html! {
            (breadcrumb(visit, &[(visit.topic(&self.topic), &self.topic)]))
            h1 { (t.tail()) ": " (self.topic) }
            p { (t.tail_explained()) }
            noscript { p.notice { (t.tail_needs_scripting()) } }
            p #tail-state role="status" data-keep {}
            ol #tail data-tail=(source) data-keep data-ended=(t.tail_ended())
                data-skipped=(t.tail_skipped())
                data-waiting=(t.tail_waits()) data-attempts=(t.attempts())
                data-binary=(t.in_base64()) data-truncated=(t.only_its_beginning())
                aria-label=(t.messages()) {}
        };
        let title = format!("{} {}", t.tail(), self.topic);
        Ok(Content { title, section: Section::Topics, warnings, body })
    }
}
