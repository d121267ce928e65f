//! nsqadmin's API over nsqd and nsqlookupd in processes of their own.

mod access;
mod actions;
mod failures;
mod notifications;
mod shapes;
mod support;
