//! What is done with a message.

use std::fmt::Display;
use std::future::Future;

use crate::Message;

/// Handles messages, several at a time.
///
/// ```
/// use nsq_client::{Handler, Message};
///
/// struct Printer;
///
/// impl Handler for Printer {
///     type Error = std::convert::Infallible;
///
///     async fn handle(&self, message: &Message) -> Result<(), Self::Error> {
///         println!("{}", String::from_utf8_lossy(message.body()));
///         Ok(())
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Why a message could not be handled; it is logged.
    type Error: Display + Send;

    /// Handles a message. `Ok` finishes it and `Err` requeues it with the automatic delay and
    /// back-off, unless it was answered already. A panic is like an error.
    fn handle(&self, message: &Message) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// A message was delivered more often than `max_attempts` and will be finished without being
    /// handled: the place to put it aside.
    fn on_given_up(&self, _message: &Message) -> impl Future<Output = ()> + Send {
        async {}
    }
}
