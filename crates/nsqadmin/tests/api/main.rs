//! nsqadmin's API over nsqd and nsqlookupd in processes of their own.

mod access;
mod actions;
mod compression;
mod failures;
mod graphite;
mod notifications;
mod shapes;
mod support;
