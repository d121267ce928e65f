//! Consuming.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nsq_client::{Config, Consumer, Handler, Message, Producer};
use nsq_sim::Daemon;
use parking_lot::Mutex;
use tempfile::tempdir;

use crate::support::{config, consumer, numbered, producer, receive, soon, until};

async fn publish(producer: &Producer, bodies: &[String]) {
    producer.publish_multi("t", bodies).await.expect("published");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_over_restarts_and_kills() {
    let data = tempdir().expect("a directory");
    let mut nsqd = Daemon::nsqd(data.path(), &[]);
    nsqd.create("t", "channel");
    let producer = producer(&[&nsqd], config());
    let mut consumer = consumer(&[&nsqd], "t", config()).await;
    for round in 0..3 {
        let bodies = numbered(&format!("{round}-"), 100);
        publish(&producer, &bodies).await;
        receive(&mut consumer, &bodies[..50]).await;
        tokio::task::block_in_place(|| {
            nsqd.kill();
            nsqd.start_again();
        });
        // Those of them that were not finished come again.
        let more = numbered(&format!("{round}+"), 10);
        publish(&producer, &more).await;
        receive(&mut consumer, &more).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_is_answered_before_a_stop() {
    let data = tempdir().expect("a directory");
    let nsqd = Daemon::nsqd(data.path(), &[]);
    let producer = producer(&[&nsqd], config());
    let bodies = numbered("m", 10);
    publish(&producer, &bodies).await;
    let mut consumer = consumer(&[&nsqd], "t", config()).await;
    let handle = consumer.handle();
    let first = soon("the first", consumer.next()).await.expect("a message");
    until("the others", || handle.in_flight() == 10).await;
    handle.stop();
    let mut count = 1;
    while let Some(message) = soon("the end", consumer.next()).await {
        message.finish();
        count += 1;
        if count == 10 {
            first.finish();
        }
    }
    assert_eq!(count, 10, "all that had come were handed out");
    drop(consumer);
    let mut again = self::consumer(&[&nsqd], "t", config()).await;
    publish(&producer, &["last".to_owned()]).await;
    let message = soon("the last", again.next()).await.expect("a message");
    assert_eq!(&message.body()[..], b"last", "nothing came twice");
    message.finish();
    soon("stopping", again.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_handed_out_goes_back_at_a_stop() {
    let data = tempdir().expect("a directory");
    let nsqd = Daemon::nsqd(data.path(), &[]);
    let producer = producer(&[&nsqd], config());
    let bodies = numbered("m", 100);
    publish(&producer, &bodies).await;
    let first = consumer(&[&nsqd], "t", config()).await;
    let handle = first.handle();
    until("all", || handle.in_flight() == 100).await;
    soon("stopping", first.stop()).await;
    let mut second = consumer(&[&nsqd], "t", config()).await;
    receive(&mut second, &bodies).await;
}

/// Fails each message twice, and panics the third time.
struct Moody {
    seen: Arc<Mutex<BTreeMap<Vec<u8>, u16>>>,
}

impl Handler for Moody {
    type Error = &'static str;

    async fn handle(&self, message: &Message) -> Result<(), &'static str> {
        let count = {
            let mut seen = self.seen.lock();
            let count = seen.entry(message.body().to_vec()).or_default();
            *count += 1;
            *count
        };
        assert!(count != 3, "the third time");
        if count < 3 { Err("not yet") } else { Ok(()) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_and_panics_are_tried_again() {
    let data = tempdir().expect("a directory");
    let nsqd = Daemon::nsqd(data.path(), &[]);
    let producer = producer(&[&nsqd], config());
    publish(&producer, &numbered("m", 5)).await;
    let consumer = consumer(&[&nsqd], "t", config()).await;
    let handle = consumer.handle();
    let seen = Arc::new(Mutex::default());
    let running = tokio::spawn(consumer.run(Moody { seen: Arc::clone(&seen) }, 3));
    let all_four_times = || {
        let seen: Vec<_> = seen.lock().values().copied().collect();
        seen.len() == 5 && seen.iter().all(|count| *count == 4)
    };
    until("four attempts each", all_four_times).await;
    until("answers", || handle.in_flight() == 0).await;
    handle.stop();
    soon("the end", running).await.expect("no panic of its own");
}

struct GivesUp {
    handled: Arc<AtomicUsize>,
    given_up: Arc<AtomicUsize>,
}

impl Handler for GivesUp {
    type Error = &'static str;

    async fn handle(&self, _: &Message) -> Result<(), &'static str> {
        self.handled.fetch_add(1, Ordering::Relaxed);
        Err("never")
    }

    async fn on_given_up(&self, _: &Message) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_given_up_after_its_attempts() {
    let data = tempdir().expect("a directory");
    let nsqd = Daemon::nsqd(data.path(), &[]);
    let producer = producer(&[&nsqd], config());
    publish(&producer, &numbered("m", 1)).await;
    let consumer = consumer(&[&nsqd], "t", Config { max_attempts: 3, ..config() }).await;
    let (handled, given_up) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let handler = GivesUp { handled: Arc::clone(&handled), given_up: Arc::clone(&given_up) };
    let running = tokio::spawn(consumer.run(handler, 1));
    until("giving up", || given_up.load(Ordering::Relaxed) == 1).await;
    assert_eq!(handled.load(Ordering::Relaxed), 3);
    running.abort();
}

/// Takes several times the message time-out.
struct Slow {
    handled: Arc<AtomicUsize>,
}

impl Handler for Slow {
    type Error = Infallible;

    async fn handle(&self, message: &Message) -> Result<(), Infallible> {
        assert_eq!(message.attempts(), 1, "nobody else got it");
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.handled.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_takes_long_is_touched() {
    let data = tempdir().expect("a directory");
    let nsqd = Daemon::nsqd(data.path(), &[]);
    let producer = producer(&[&nsqd], config());
    publish(&producer, &numbered("m", 4)).await;
    let config = Config { auto_touch: true, msg_timeout: Duration::from_secs(1), ..config() };
    let consumer = consumer(&[&nsqd], "t", config).await;
    let handle = consumer.handle();
    let handled = Arc::<AtomicUsize>::default();
    // Two wait in the consumer while two are handled.
    let running = tokio::spawn(consumer.run(Slow { handled: Arc::clone(&handled) }, 2));
    until("all", || handled.load(Ordering::Relaxed) == 4 && handle.in_flight() == 0).await;
    handle.stop();
    soon("the end", running).await.expect("no panic");
}

/// Without touching, somebody else gets it, and the late answer does no harm.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_no_end() {
    let data = tempdir().expect("a directory");
    let nsqd = Daemon::nsqd(data.path(), &[]);
    let producer = producer(&[&nsqd], config());
    publish(&producer, &numbered("m", 1)).await;
    let config = Config { msg_timeout: Duration::from_secs(1), ..config() };
    let mut consumer = consumer(&[&nsqd], "t", config).await;
    let late = soon("the message", consumer.next()).await.expect("a message");
    let again = soon("the same", consumer.next()).await.expect("a message");
    assert_eq!((late.id(), again.attempts()), (again.id(), 2));
    again.finish();
    late.finish();
    publish(&producer, &["next".to_owned()]).await;
    receive(&mut consumer, &["next".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_consumer_gives_everything_back() {
    let data = tempdir().expect("a directory");
    let nsqd = Daemon::nsqd(data.path(), &[]);
    let producer = producer(&[&nsqd], config());
    let bodies = numbered("m", 20);
    publish(&producer, &bodies).await;
    let mut first = consumer(&[&nsqd], "t", config()).await;
    let kept = soon("a message", first.next()).await.expect("a message");
    drop(first);
    let mut second = consumer(&[&nsqd], "t", config()).await;
    receive(&mut second, &bodies).await;
    drop(kept);
}

#[tokio::test]
async fn names_and_options_are_checked() {
    let error = |topic, channel, config| {
        let consumer = Consumer::new(topic, channel, config);
        consumer.err().map(|error| error.to_string())
    };
    assert_eq!(error("b!", "c", config()).as_deref(), Some("invalid topic name"));
    assert_eq!(error("t", "", config()).as_deref(), Some("invalid channel name"));
    let wrong = Config { lookupd_poll_jitter: 3.0, ..config() };
    let wrong = error("t", "c", wrong);
    assert_eq!(wrong.as_deref(), Some("invalid lookupd_poll_jitter ! 3 > 1"));
    assert_eq!(error("t", "c", config()), None);
}
