//! Producers and consumers with real daemons, which are killed, hang, and come back.

mod consume;
mod discover;
mod http_server;
mod publish;
mod secure;
mod support;
