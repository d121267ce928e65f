//! What the publishers of one batch wait for.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::PublishError;

/// The outcome of a batch.
#[derive(Debug, Default)]
pub(crate) struct Ticket {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was answered: where it begins and ends, and how. One entry, unless the batch was
    /// split because it was refused as a whole.
    outcomes: BTreeMap<u32, (u32, Result<(), PublishError>)>,
    /// Who waits, at the place of the message.
    waiting: Vec<Option<Waker>>,
}

/// What becomes of a message that was handed over: resolves when it is published, or cannot be.
/// May be dropped; the message is published all the same.
#[derive(Debug)]
#[must_use = "only the receipt tells whether the message was published"]
pub struct Receipt {
    ticket: Arc<Ticket>,
    place: u32,
}

impl Ticket {
    /// These messages have an outcome. Those who wait for it are woken.
    pub(crate) fn answer(&self, places: Range<u32>, result: Result<(), PublishError>) {
        let mut state = self.state.lock();
        let woken: Vec<_> = state
            .waiting
            .iter_mut()
            .take(places.end as usize)
            .skip(places.start as usize)
            .filter_map(Option::take)
            .collect();
        state.outcomes.insert(places.start, (places.end, result));
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl State {
    fn outcome(&self, place: u32) -> Option<Result<(), PublishError>> {
        let (_, (end, result)) = self.outcomes.range(..=place).next_back()?;
        (place < *end).then(|| result.clone())
    }
}

impl Receipt {
    pub(crate) fn new(ticket: Arc<Ticket>, place: u32) -> Self {
        Self { ticket, place }
    }
}

impl Future for Receipt {
    type Output = Result<(), PublishError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.ticket.state.lock();
        if let Some(outcome) = state.outcome(self.place) {
            return Poll::Ready(outcome);
        }
        let place = self.place as usize;
        if state.waiting.len() <= place {
            state.waiting.resize(place + 1, None);
        }
        match state.waiting.get_mut(place) {
            Some(Some(waker)) => waker.clone_from(context.waker()),
            Some(slot) => *slot = Some(context.waker().clone()),
            None => {}
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(receipt: &mut Receipt) -> Poll<Result<(), PublishError>> {
        Pin::new(receipt).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn each_message_has_its_outcome() {
        let ticket = Arc::new(Ticket::default());
        let mut receipts: Vec<_> =
            (0..4).map(|place| Receipt::new(Arc::clone(&ticket), place)).collect();
        assert!(receipts.iter_mut().all(|receipt| now(receipt).is_pending()));
        ticket.answer(1..2, Err(PublishError::EmptyBody));
        ticket.answer(2..4, Ok(()));
        let outcomes: Vec<_> = receipts.iter_mut().map(now).collect();
        assert_eq!(outcomes[0], Poll::Pending);
        assert_eq!(outcomes[1], Poll::Ready(Err(PublishError::EmptyBody)));
        assert_eq!(outcomes[2..], [Poll::Ready(Ok(())), Poll::Ready(Ok(()))]);
    }
}
