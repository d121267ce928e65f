//! Topics and channels: who gets which message, and when; pure and deterministic.
//!
//! Nothing here waits, reads a clock or touches a file. Times are nanoseconds since 1970 by the
//! daemon's steady clock, handed in by the caller.

mod batch;
mod channel;
mod checkpoint;
mod consumer;
mod in_flight;
mod skips;
mod topic;
mod window;

pub use batch::{Batch, Epoch, Epochs, Sequence};
pub use channel::{Census, Channel, ChannelCounters, ChannelOptions, Delivery, NotHeld, Taken};
pub use checkpoint::{Checkpoint, Deferred, Open};
pub use consumer::{ConsumerKey, Proximity, Subscription};
pub use topic::{Handout, HeldRun, Topic};
pub use window::message_at;
