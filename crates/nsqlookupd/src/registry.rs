//! Which nsqd serves which topic.
//!
//! [`Topics`] decides: a pure type with time as an argument. [`SharedRegistry`] keeps many of them,
//! each with the topics of its share and a lock of its own, so that nothing waits for everything.

mod peer;
mod shared;
mod topics;

pub use peer::{ConnectionId, Identity, Peer};
pub use shared::{Node, NodesView, SharedRegistry};
pub use topics::{
    DebugEntry, Deleted, Lifetimes, LookupView, Registered, Registration, Topics, Unregistered,
};
