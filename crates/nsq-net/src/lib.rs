//! Byte streams: what the daemons listen on, read from and write to.

mod address;
mod codec;
mod incoming;
mod listener;
mod outgoing;
mod peer;
mod socket;
mod stream;
mod tls;

pub use address::Address;
pub use codec::{Codec, Decoded};
pub use incoming::{Door, Incoming, Refusal};
pub use listener::{ListenError, Listener};
pub use outgoing::{Outgoing, dial};
pub use peer::Peer;
pub use socket::Socket;
pub use stream::{Stream, TlsFailed};
pub use tls::{
    ClientCertificates, TlsClient, TlsClientFiles, TlsError, TlsFacts, TlsServer, TlsServerFiles,
    TlsVersion,
};
