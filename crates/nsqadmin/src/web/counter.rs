//! How many messages went into all channels.

use maud::html;
use nsq_api::cluster::StatsQuery;
use nsq_app::http::{Failure, Request};

use super::charts::charts;
use super::figures;
use super::frame::{Content, Section};
use super::graphs;
use super::page::Page;
use super::visit::Visit;
use crate::admin::Admin;
use crate::ask;
use crate::chart::Subject;
use crate::upstream::{Warnings, failed};

/// The page with one number.
pub(super) struct CounterPage;

impl Page for CounterPage {
    fn of(_: &Request) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn content(&self, admin: &Admin, visit: &Visit) -> Result<Content, Failure> {
        let t = visit.language;
        let mut warnings = Warnings::default();
        let count = match admin.watch.overview() {
            // In a large cluster all statistics are much to ask for.
            Some(overview) => {
                let topics = overview.topics.values();
                let channels = topics.flat_map(|topic| topic.channels.values());
                channels.map(|channel| channel.message_count).fold(0, u64::saturating_add)
            }
            None => asked(admin, &mut warnings).await?,
        };
        let body = html! {
            h1 { (t.messages_processed()) }
            p.counter #counter data-count=(count) { (figures::count(count)) }
            (graphs::all_messages(visit))
            (charts(visit, admin.watch.chart(&Subject::Cluster).as_ref(), &Subject::Cluster))
        };
        Ok(Content { title: t.counter().to_owned(), section: Section::Counter, warnings, body })
    }
}

async fn asked(admin: &Admin, warnings: &mut Warnings) -> Result<u64, Failure> {
    let cluster = admin.cluster();
    let nodes = warnings.take(cluster.nodes().await).map_err(failed)?;
    let stats = ask::stats_of(&cluster, &nodes, &StatsQuery::default(), warnings).await?;
    let channels = stats.iter().flat_map(|node| &node.topics).flat_map(|topic| &topic.channels);
    Ok(channels.map(|channel| channel.message_count).fold(0, u64::saturating_add))
}
