//! What is kept on disk: the log of a topic, the journal of its channels.

mod budget;
mod damage;
mod dirty;
pub mod disk;
mod handles;
mod index;
pub mod journal;
pub mod lock;
mod log;
pub mod metadata;
mod reader;
mod record;
mod recovery;
mod relocation;
mod segment;
mod spare;
mod state;
mod store;
mod tail;
mod walk;
mod writer;

pub use budget::MemoryBudget;
pub use damage::Damage;
pub use log::{Log, Recent};
pub use reader::Chunk;
pub use recovery::{DeferredPublish, Recovered};
pub use segment::SegmentInfo;
pub use store::{Opening, Store, StoreOptions};
