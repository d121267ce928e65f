//! nsq_to_http and nsq_to_nsq with real daemons.

mod daemon;
mod https;
mod nsq_to_http;
mod nsq_to_nsq;
mod patience;
mod tool;
mod web_server;
