//! JSON bodies of the HTTP endpoints, and a client that asks for them.
//!
//! Every type here is one JSON object of a daemon's interface. Field order is the order on the
//! wire. All of them are written with [`to_json`] and read with `serde_json`: unknown keys are
//! ignored and missing ones take their zero value, so nodes of different versions can be mixed.

mod client;
pub mod cluster;
mod error_body;
mod host_port;
mod info;
mod json;
mod lookup;
mod nanoseconds;
mod quantile_keys;
mod stats;
mod url;

pub use client::{HeaderMap, HeaderValue, HttpAnswer, HttpClient, HttpRequest, RequestError};
pub use error_body::ErrorBody;
pub use info::Info;
pub use json::to_json;
pub use lookup::{
    DebugProducer, Lookup, LookupChannels, LookupIdentify, LookupIdentity, LookupInfo, LookupNode,
    LookupNodes, LookupTopics, Producer,
};
pub use quantile_keys::quantile_keys;
pub use stats::{
    ChannelStats, ClientStats, Latency, LatencyPercentile, MemoryStats, PublishCount, Stats,
    TopicStats,
};
pub use url::HttpUrl;
