//! Byte streams: what the daemons read from and write to.

mod stream;

pub use stream::Stream;
