//! What a client of nsqd sees, by the protocol description: transcripts against a running daemon.
//!
//! By default it runs in this process. With `NSQ_TEST_NSQD=<path of another nsqd>` the same
//! transcripts run against that program; against the original they hold but for the deliberate
//! differences, each of which asks `is_original()`.

#[path = "../support/mod.rs"]
mod support;

mod auth;
mod auth_query;
mod channels;
mod compression;
mod compression_abuse;
mod config;
mod connection;
mod consume;
mod debug;
mod deferral;
mod finish;
mod heartbeats;
mod hostile;
mod http_administer;
mod http_publish;
mod http_rules;
mod https;
mod identify;
mod latency;
mod limits;
mod lookup;
mod lookup_tls;
mod metadata;
mod metrics;
mod publish;
mod restart;
mod states;
mod stats;
mod stats_text;
mod statsd;
mod timeouts;
mod tls;
mod tls_policy;
mod topics;
mod topology;
