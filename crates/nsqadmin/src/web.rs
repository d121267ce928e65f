//! The pages: functions from what the cluster says to HTML, escaped by construction. All that they
//! offer to do is an action that the API has, too.

mod actions;
mod assets;
mod channel;
mod channels;
mod charts;
mod clients;
mod cookies;
mod counter;
mod figures;
mod findings;
mod forms;
mod frame;
mod graphs;
mod language;
mod latency;
mod listing;
mod lookup;
mod node;
mod nodes;
mod outcome;
mod page;
mod tail;
mod texts;
mod token;
mod topic;
mod topics;
mod visit;

use nsq_app::http::{Route, get, post};

use crate::admin::Admin;

pub(crate) use page::STREAMS_MAX;

/// Pages, their forms and the files they need.
pub(crate) fn routes() -> Vec<Route<Admin>> {
    vec![
        get("/", page::show::<topics::TopicsPage>),
        get("/topics", page::show::<topics::TopicsPage>),
        get("/topics/:topic", page::show::<topic::TopicPage>),
        get("/topics/:topic/:channel", page::show::<channel::ChannelPage>),
        get("/tail/:topic", page::show::<tail::TailPage>),
        get("/nodes", page::show::<nodes::NodesPage>),
        get("/nodes/:node", page::show::<node::NodePage>),
        get("/counter", page::show::<counter::CounterPage>),
        get("/lookup", page::show::<lookup::LookupPage>),
        post("/topics", forms::create).reads_body().detached(),
        post("/topics/:topic", forms::topic).reads_body().detached(),
        post("/topics/:topic/:channel", forms::channel).reads_body().detached(),
        post("/nodes/:node", forms::node).reads_body().detached(),
        get("/static/:asset", assets::show).plain(),
        get("/fonts/:asset", assets::show).plain(),
    ]
    .into_iter()
    .map(Route::plain)
    .collect()
}
