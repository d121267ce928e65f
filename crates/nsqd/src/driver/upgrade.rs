//! What is put around the bytes of a connection after IDENTIFY.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use nsq_net::{Codec, TlsFailed};
use nsq_proto::{Features, ProtocolError, frame};
use tokio::time::timeout;

use super::{Driver, End};
use crate::client::{Client, Compression};

/// How long a handshake may take; Go NSQ's, not a flag.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a client may leave the answer that comes before an upgrade unread.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

impl Driver {
    /// Upgrades the connection, one layer after the other; each begins with an `OK`.
    ///
    /// What came behind IDENTIFY is for the next layer. Go NSQ throws it away.
    pub(super) async fn upgrade(&mut self, features: Features) -> Result<(), End> {
        if features.tls {
            self.write_out().await?;
            self.start_tls().await?;
            self.output.extend_from_slice(frame::OK);
        }
        let (codec, compression) = if features.snappy {
            (Codec::snappy(), Compression::Snappy)
        } else if features.deflate {
            (Codec::deflate(features.deflate_level), Compression::Deflate)
        } else {
            return Ok(());
        };
        if self.client.compression.set(compression).is_err() {
            return Err(End::Error(ProtocolError::identify_failed("it is compressed already")));
        }
        self.write_out().await?;
        self.stream.start_codec(codec, &self.input.split());
        self.output.extend_from_slice(frame::OK);
        Ok(())
    }

    async fn start_tls(&mut self) -> Result<(), End> {
        let Some(tls) = self.node.credentials.tls.clone() else { return Ok(()) };
        let (client, ends) = (Arc::clone(&self.client), self.stream.ends());
        let ahead = self.input.split().freeze();
        let shaken = tokio::select! {
            biased;
            () = closed(&client) => return Err(End::Silent),
            shaken = self.stream.start_tls(&tls, ahead, HANDSHAKE_TIMEOUT) => shaken,
        };
        let reason = match shaken {
            Ok(facts) => {
                self.admission.tls_required_unmet = false;
                if self.client.tls.set(facts).is_err() {
                    return Err(End::Error(ProtocolError::identify_failed("it is TLS already")));
                }
                return Ok(());
            }
            Err(TlsFailed::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                format!("read tcp {ends}: i/o timeout")
            }
            Err(error) => error.to_string(),
        };
        Err(End::Error(ProtocolError::identify_failed(&reason)))
    }

    /// Writes all there is, on the layer in force.
    async fn write_out(&mut self) -> Result<(), End> {
        let client = Arc::clone(&self.client);
        let output = self.output.split();
        tokio::select! {
            biased;
            () = closed(&client) => Err(End::Silent),
            written = timeout(ANSWER_TIMEOUT, self.stream.write_all(&output)) => {
                written.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                Ok(())
            }
        }
    }
}

/// Returns when the connection must close. Nobody wakes it for messages before it subscribes.
async fn closed(client: &Client) {
    poll_fn(|context| match client.signal.poll(context) {
        Poll::Ready(woken) if woken.close => Poll::Ready(()),
        Poll::Ready(_) | Poll::Pending => Poll::Pending,
    })
    .await;
}
