//! The two directions of a connection that is encrypted, compressed or both.

use socket2::Socket;
use std::io::{ErrorKind, Read, Result};
use std::time::Duration;

use crate::packer::{Packer, Unpacker};
use crate::publish_block::PublishBlock;
use crate::socket::write_all;
use crate::tls::TlsSession;

/// Bytes read from the socket at once.
const READ_BYTES: usize = 64 << 10;

/// From commands to the socket.
#[derive(Default)]
pub(crate) struct OutgoingLayers {
    pub(crate) tls: Option<TlsSession>,
    pub(crate) packer: Option<Packer>,
    /// Room for what is compressed, kept from write to write.
    packed: Vec<u8>,
}

impl OutgoingLayers {
    /// Compresses, encrypts and writes all of `bytes`.
    pub(crate) fn send(&mut self, stream: &Socket, bytes: &[u8], patience: Duration) -> Result<()> {
        let Some(packer) = &mut self.packer else {
            return self.send_packed(stream, bytes, patience);
        };
        if bytes.is_empty() {
            return Ok(());
        }
        self.packed.clear();
        packer.pack(bytes, &mut self.packed);
        self.send_packed(stream, &self.packed, patience)
    }

    /// Encrypts and writes all of `bytes`, which are compressed already.
    pub(crate) fn send_packed(
        &self,
        stream: &Socket,
        bytes: &[u8],
        patience: Duration,
    ) -> Result<()> {
        match &self.tls {
            Some(session) => session.send(stream, bytes, patience),
            None => write_all(stream, bytes, patience),
        }
    }

    /// Compresses a block that will be written again and again; false when nothing is compressed.
    pub(crate) fn pack_ahead(&mut self, block: &mut PublishBlock) -> bool {
        let Some(packer) = &mut self.packer else { return false };
        packer.forget_history();
        block.pack(packer);
        true
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish_sending(&self, stream: &Socket, patience: Duration) -> Result<()> {
        match &self.tls {
            Some(session) => session.finish_sending(stream, patience),
            None => Ok(()),
        }
    }
}

/// From the socket to frames.
pub(crate) struct IncomingLayers {
    tls: Option<TlsSession>,
    unpacker: Option<Unpacker>,
    /// Room for what is read from the socket.
    wire: Vec<u8>,
    /// Decrypted and not yet decompressed.
    received: Vec<u8>,
    /// The last step filled all the room it had: there may be more without reading.
    has_more: bool,
}

impl IncomingLayers {
    /// The first layer, or none yet.
    pub(crate) fn new(tls: Option<TlsSession>) -> Self {
        let wire = vec![0; READ_BYTES];
        Self { tls, unpacker: None, wire, received: Vec::new(), has_more: false }
    }

    /// From now on all bytes are compressed; `early` are those that were taken for frames.
    pub(crate) fn add_unpacker(&mut self, unpacker: Unpacker, early: &[u8]) {
        self.unpacker = Some(unpacker);
        self.received.splice(..0, early.iter().copied());
        self.has_more = !self.received.is_empty();
    }

    /// Whether there may be bytes that need no reading from the socket.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Fills `space` with bytes of frames, as [`Read::read`] would. Reads once, or not at all.
    pub(crate) fn receive(&mut self, mut stream: &Socket, space: &mut [u8]) -> Result<usize> {
        if !self.has_more {
            let count = stream.read(&mut self.wire)?;
            let wire = &self.wire[..count];
            match &self.tls {
                _ if count == 0 => return Ok(0),
                Some(session) => session.decrypt(wire, &mut self.received)?,
                None => self.received.extend_from_slice(wire),
            }
        }
        let (used, written) = match &mut self.unpacker {
            Some(unpacker) => unpacker.unpack(&self.received, space)?,
            None => {
                let count = self.received.len().min(space.len());
                space[..count].copy_from_slice(&self.received[..count]);
                (count, count)
            }
        };
        self.received.drain(..used);
        self.has_more = written == space.len();
        // A part of a record or of a chunk is as good as nothing.
        if written == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(written) }
    }
}
