//! What nsqd and consumers see of nsqlookupd: transcripts against a running daemon.
//!
//! By default it runs in this process. With `NSQ_TEST_NSQLOOKUPD=<path of another nsqlookupd>` the
//! same transcripts run against that program; against the original they hold but for the
//! deliberate differences, each of which asks `is_original()`.

#[path = "../support/mod.rs"]
mod support;

mod discovery;
mod http;
mod long_polling;
mod protocol;
mod tls;
