//! nsqadmin's API over nsqd and nsqlookupd in processes of their own.

mod access;
mod actions;
mod compression;
mod failures;
mod graphite;
mod graphs;
mod notifications;
mod pages;
mod paging;
mod publish;
mod shapes;
mod support;
mod tail;
mod tokens;
mod watch;
