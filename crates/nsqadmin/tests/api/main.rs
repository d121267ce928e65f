//! nsqadmin's API over nsqd and nsqlookupd in processes of their own.

mod access;
mod actions;
mod failures;
mod graphite;
mod graphs;
mod notifications;
mod paging;
mod shapes;
mod support;
mod tokens;
