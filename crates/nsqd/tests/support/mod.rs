//! What the transcripts are run with: a daemon of their own and clients that speak bytes.

mod auth_server;
mod certificates;
mod client;
mod commands;
mod daemon;
mod http;
mod layers;
mod lookupd;
mod noise;
mod patience;
mod program;

pub(crate) use auth_server::{AuthServer, Reply};
pub(crate) use certificates::Certificates;
pub(crate) use client::{Client, Frame, Message};
pub(crate) use commands::{UNKNOWN_ID, deferred, identify, publish, publish_many, with_size};
pub(crate) use daemon::{Daemon, is_original, try_start};
pub(crate) use http::{Answer, ask};
pub(crate) use layers::{Handshake, in_deflate, in_snappy};
pub(crate) use lookupd::{Lookupd, Manner};
pub(crate) use noise::noise;
pub(crate) use patience::{PATIENCE, eventually};
