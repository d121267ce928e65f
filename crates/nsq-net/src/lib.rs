//! Byte streams: what the daemons read from and write to.

mod codec;
mod stream;

pub use codec::{Codec, Decoded};
pub use stream::Stream;
