//! Producers and consumers with an nsqd that follows a script, some of which no nsqd would.

mod consume;
mod handshake;
mod nsqd;
mod one_connection;
mod order;
mod publish;
mod stopped;
