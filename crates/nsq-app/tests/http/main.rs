//! The HTTP frame as clients see it: raw requests over loopback, exact responses.
//!
//! The routes have the shape of nsqd's, and expected responses are nsqd 1.3.0's, apart from the
//! date and the order of headers.

mod bodies;
mod compression;
mod daemon;
mod lifetime;
mod pages;
mod routing;
mod streams;
mod tokens;
mod wire;
