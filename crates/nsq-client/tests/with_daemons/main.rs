//! Producers and consumers with real daemons, which are killed, hang, and come back.

mod consume;
mod publish;
mod support;
