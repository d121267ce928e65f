//! What many daemons answered, and which did not.

use std::fmt;

use hyper::StatusCode;
use tokio::task::{JoinError, JoinSet};

use crate::RequestError;

/// How many daemons are asked at once.
const ASKED_AT_ONCE: usize = 64;

/// An answer that is made of the answers of many.
#[derive(Debug)]
pub struct Gathered<T> {
    /// What those who answered said.
    pub data: T,
    /// Who did not, and why; in the order in which they were to be asked.
    pub failures: Vec<Failure>,
    daemons: Daemons,
    asked: usize,
}

/// Whom a question goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Daemons {
    /// nsqlookupd
    Lookupds,
    /// nsqd
    Nsqds,
}

/// A daemon that did not answer, or not what it should; worded as by Go NSQ.
#[derive(Debug, thiserror::Error)]
#[error("{verb} \"http://{address}{target}\": {}", reason(address, error))]
pub struct Failure {
    /// `Get` or `Post`.
    pub verb: &'static str,
    /// Its address, as it was given or found.
    pub address: String,
    /// What was asked.
    pub target: String,
    /// What went wrong.
    pub error: RequestError,
}

/// Nobody answered, or there was nobody to ask; worded as by Go NSQ.
#[derive(Debug, thiserror::Error)]
#[error("failed to query any {daemons}: {}", lines(failures))]
pub struct NoneAnswered {
    /// Who was asked.
    pub daemons: Daemons,
    /// All of them; empty if there was nobody.
    pub failures: Vec<Failure>,
}

impl Failure {
    /// Whether the daemon does not know what it was asked for.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self.error, RequestError::Status(StatusCode::NOT_FOUND, _))
    }
}

impl NoneAnswered {
    /// Whether all of them know nothing of what they were asked for.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        !self.failures.is_empty() && self.failures.iter().all(Failure::is_not_found)
    }
}

impl<T> Gathered<T> {
    /// What was gathered, unless nobody answered.
    ///
    /// # Errors
    ///
    /// When all failed, or there was nobody to ask.
    pub fn ensure_any(self) -> Result<(T, Vec<Failure>), NoneAnswered> {
        if self.failures.len() < self.asked {
            Ok((self.data, self.failures))
        } else {
            Err(NoneAnswered { daemons: self.daemons, failures: self.failures })
        }
    }

    /// What is known without asking.
    pub(super) fn of_all(daemons: Daemons, data: Vec<T>) -> Gathered<Vec<T>> {
        let asked = data.len();
        Gathered { data, failures: Vec::new(), daemons, asked }
    }

    /// The same with other data.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Gathered<U> {
        let Self { data, failures, daemons, asked } = self;
        Gathered { data: change(data), failures, daemons, asked }
    }
}

/// Asks all of them, not too many at once. Answers come with their address, in its order.
pub(super) async fn gather<T, F>(
    daemons: Daemons,
    addresses: &[String],
    ask: impl Fn(String) -> F,
) -> Gathered<Vec<(String, T)>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let mut waiting = addresses.iter().enumerate();
    let mut asking = JoinSet::new();
    let mut answers = Vec::with_capacity(addresses.len());
    loop {
        let room = ASKED_AT_ONCE - asking.len();
        for (place, address) in waiting.by_ref().take(room) {
            let (address, answer) = (address.clone(), ask(address.clone()));
            asking.spawn(async move { (place, address, answer.await) });
        }
        match asking.join_next().await {
            Some(answer) => answers.push(answer.unwrap_or_else(|error| go_on_panicking(error))),
            None => break,
        }
    }
    answers.sort_unstable_by_key(|(place, ..)| *place);
    let (mut data, mut failures) = (Vec::new(), Vec::new());
    for (_, address, answer) in answers {
        match answer {
            Ok(answer) => data.push((address, answer)),
            Err(failure) => failures.push(failure),
        }
    }
    Gathered { data, failures, daemons, asked: addresses.len() }
}

/// Nobody aborts these tasks.
pub(super) fn go_on_panicking(error: JoinError) -> ! {
    std::panic::resume_unwind(error.into_panic())
}

impl fmt::Display for Daemons {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Lookupds => "nsqlookupd",
            Self::Nsqds => "nsqd",
        })
    }
}

fn reason(address: &str, error: &RequestError) -> String {
    match error {
        RequestError::Connect(error) if error.raw_os_error().is_some() => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
            format!("dial tcp {address}: connect: {text}")
        }
        error => error.to_string(),
    }
}

fn lines(failures: &[Failure]) -> String {
    let lines: Vec<_> = failures.iter().map(Failure::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks `count` daemons, of which the odd ones fail.
    async fn gathered(count: usize) -> Gathered<Vec<(String, usize)>> {
        let addresses: Vec<_> = (0..count).map(|place| place.to_string()).collect();
        let asked = gather(Daemons::Nsqds, &addresses, |address| async move {
            let place: usize = address.parse().expect("a number");
            // The later ones answer first.
            for _ in place..100 {
                tokio::task::yield_now().await;
            }
            let failure = Failure {
                verb: "Get",
                address,
                target: "/x".to_owned(),
                error: RequestError::TimedOut,
            };
            if place.is_multiple_of(2) { Ok(place) } else { Err(failure) }
        });
        asked.await
    }

    #[tokio::test]
    async fn answers_come_in_order_with_those_that_failed() {
        // More than are asked at once.
        let (data, failures) = gathered(200).await.ensure_any().expect("half of them answered");
        let places: Vec<_> = data.iter().map(|(_, place)| *place).collect();
        assert_eq!(places, (0..200).step_by(2).collect::<Vec<_>>());
        assert!(data.iter().all(|(address, place)| *address == place.to_string()));
        let failed: Vec<_> = failures.iter().map(|failure| failure.address.clone()).collect();
        assert_eq!(failed, (1..200).step_by(2).map(|place| place.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn failures_are_worded_as_in_go() {
        let refused = std::io::Error::from_raw_os_error(111);
        for (error, expected) in [
            (RequestError::Connect(refused), "dial tcp a:1: connect: connection refused"),
            (
                RequestError::Status(hyper::StatusCode::NOT_FOUND, "{\"m\"}".to_owned()),
                "got response 404 Not Found \"{\\\"m\\\"}\"",
            ),
        ] {
            let failure =
                Failure { verb: "Get", address: "a:1".to_owned(), target: "/x".to_owned(), error };
            assert_eq!(failure.to_string(), format!("Get \"http://a:1/x\": {expected}"));
        }
    }

    #[tokio::test]
    async fn nobody_answered() {
        let none = gathered(0).await.ensure_any().expect_err("there is nobody");
        assert_eq!(none.to_string(), "failed to query any nsqd: ");
        let mut one = gathered(2).await;
        one.asked = 1;
        let none = one.ensure_any().expect_err("all failed");
        assert_eq!(
            none.to_string(),
            "failed to query any nsqd: Get \"http://1/x\": no answer in time"
        );
    }
}
