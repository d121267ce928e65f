//! The codecs, against bytes of NSQ, against other decoders, and against hostile input.

mod bombs;
mod golden;
mod laws;
mod peer;
