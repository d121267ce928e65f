//! What is done with each message.

use std::time::Instant;

use bytes::Bytes;
use nsq_client::{Handler, Message};

use super::mode::Mode;
use super::requests::{Endpoint, RequestError, Requests};
use super::sample::Sample;
use crate::upstreams::{Attempt, Upstreams};

/// Sends messages on; a message is finished when it was taken.
pub(super) struct RequestHandler {
    pub(super) sample: Sample,
    pub(super) mode: Mode,
    /// In the order of the upstreams.
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) upstreams: Upstreams,
    pub(super) requests: Requests,
}

impl Handler for RequestHandler {
    type Error = RequestError;

    async fn handle(&self, message: &Message) -> Result<(), RequestError> {
        if !self.sample.has(fastrand::f64()) {
            return Ok(());
        }
        let started = Instant::now();
        match self.mode {
            Mode::All => self.send_to_all(message.body()).await?,
            Mode::One(_) => self.send_to_one(message.body()).await?,
        }
        self.upstreams.count_total(started.elapsed());
        Ok(())
    }
}

impl RequestHandler {
    /// Ends at the first address that fails. Those before it get the message again, as in NSQ.
    async fn send_to_all(&self, body: &Bytes) -> Result<(), RequestError> {
        for (place, endpoint) in self.endpoints.iter().enumerate() {
            let attempt = Attempt::to(place);
            self.requests.send(endpoint, body).await?;
            self.upstreams.count(attempt);
        }
        Ok(())
    }

    async fn send_to_one(&self, body: &Bytes) -> Result<(), RequestError> {
        let attempt = self.upstreams.pick();
        let result = self.requests.send(&self.endpoints[attempt.place], body).await;
        self.upstreams.mark(attempt, result.is_ok());
        if result.is_ok() {
            self.upstreams.count(attempt);
        }
        result
    }
}
