//! Publishing.

use std::sync::Arc;
use std::time::Duration;

use nsq_client::{Config, Producer, PublishError};
use nsq_sim::{Daemon, http};
use tempfile::tempdir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{config, consumer, numbered, producer, receive, soon, tcp};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_one_by_one_together_and_deferred_comes() {
    let data = tempdir().expect("a directory");
    let nsqd = Daemon::nsqd(data.path(), &[]);
    let producer = producer(&[&nsqd], config());
    producer.publish("t", "one").await.expect("published");
    producer.publish_multi("t", &["two", "three"]).await.expect("published");
    let delay = Duration::from_millis(20);
    producer.publish_deferred("t", delay, "four").await.expect("published");
    let receipt = producer.enqueue("t", b"five".to_vec()).await.expect("taken in");
    receipt.await.expect("published");
    let mut consumer = consumer(&[&nsqd], "t", config()).await;
    let wanted: Vec<_> = ["one", "two", "three", "four", "five"].map(str::to_owned).into();
    receive(&mut consumer, &wanted).await;
    soon("closing", producer.close()).await;
    assert_eq!(producer.publish("t", "six").await, Err(PublishError::Stopped));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_publish_with_few_commands() {
    let data = tempdir().expect("a directory");
    let nsqd = Daemon::nsqd(data.path(), &[]);
    let producer = producer(&[&nsqd], config());
    let mut tasks = JoinSet::new();
    for task in 0..64 {
        let producer = producer.clone();
        tasks.spawn(async move {
            for number in 0..50 {
                producer.publish("t", format!("{task}-{number}")).await.expect("published");
            }
        });
    }
    soon("publishing", tasks.join_all()).await;
    let stats = http::get(nsqd.addresses().http, "/stats?format=json").expect("an answer").body;
    assert!(stats.contains("\"message_count\":3200"), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_harms_nothing_else() {
    let data = tempdir().expect("a directory");
    let nsqd = Daemon::nsqd(data.path(), &[]);
    nsqd.create("t", "channel");
    for retry in [true, false] {
        let config = Config { publish_retry: retry, ..config() };
        let producer = producer(&[&nsqd], config.clone());
        assert_eq!(producer.publish("t", "").await, Err(PublishError::EmptyBody));
        let error = producer.publish("b!", "x").await.expect_err("no topic");
        assert_eq!(error.to_string(), "E_BAD_TOPIC PUB topic name \"b!\" is not valid");
        // nsqd closes the connection after this one.
        let large = vec![b'x'; 2 << 20];
        let (refused, small) =
            tokio::join!(producer.publish("t", &large), producer.publish("t", "small"));
        let refused = refused.expect_err("too large").to_string();
        assert!(refused.starts_with("E_BAD_MESSAGE PUB message too big"), "{refused}");
        assert_eq!(small, Ok(()));
        let mut consumer = consumer(&[&nsqd], "t", config).await;
        receive(&mut consumer, &["small".to_owned()]).await;
    }
}

/// Each alone is small enough for company, but too large for this daemon.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_that_is_refused_the_good_ones_are_published() {
    let data = tempdir().expect("a directory");
    let binary = nsq_sim::binary("nsqd");
    let words = [
        binary.to_str().expect("text"),
        "--max-msg-size=100",
        &format!("--data-path={}", data.path().display()),
    ];
    let words = words.map(str::to_owned).to_vec();
    let nsqd = Daemon::run(words, "127.0.0.1".parse().expect("an address"));
    let producer = producer(&[&nsqd], config());
    let large = "x".repeat(200);
    let mut receipts = Vec::new();
    for number in 0..20 {
        let body = if number % 5 == 0 { large.clone() } else { format!("small {number}") };
        receipts.push((number, producer.enqueue("t", body).await.expect("taken in")));
    }
    for (number, receipt) in receipts {
        let result = soon("the answer", receipt).await;
        assert_eq!(result.is_err(), number % 5 == 0, "{number}: {result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_retries_an_nsqd_that_is_not_there_is_an_error_at_once() {
    let config = Config { publish_retry: false, ..config() };
    let producer = Producer::new(&["127.0.0.1:1"], config).expect("a producer");
    for _ in 0..3 {
        let error = soon("failing", producer.publish("t", "x")).await.expect_err("nobody there");
        assert_eq!(error.to_string(), "dial tcp 127.0.0.1:1: connect: connection refused");
    }
}

async fn all_published(producer: &Producer, bodies: &[String]) {
    let mut receipts = Vec::new();
    for body in bodies {
        receipts.push(producer.enqueue("t", body).await.expect("taken in"));
    }
    for receipt in receipts {
        receipt.await.expect("one of the two is always there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_goes_on_over_kills() {
    let (data, other_data) = (tempdir().expect("a directory"), tempdir().expect("a directory"));
    let mut nsqds = [Daemon::nsqd(data.path(), &[]), Daemon::nsqd(other_data.path(), &[])];
    for nsqd in &nsqds {
        nsqd.create("t", "channel");
    }
    let producer = producer(&[&nsqds[0], &nsqds[1]], config());
    let published = numbered("m", 3000);
    let bodies = Arc::new(published.clone());
    let publishing = tokio::spawn({
        let producer = producer.clone();
        async move {
            for chunk in bodies.chunks(10) {
                all_published(&producer, chunk).await;
            }
        }
    });
    for round in 0..6 {
        let nsqd = &mut nsqds[round % 2];
        tokio::task::block_in_place(|| {
            nsqd.kill();
            nsqd.start_again();
        });
    }
    soon("publishing", publishing).await.expect("no panic");
    let mut consumer = consumer(&[&nsqds[0], &nsqds[1]], "t", config()).await;
    receive(&mut consumer, &published).await;
}

/// It accepts connections and never says anything.
#[tokio::test(flavor = "multi_thread")]
async fn an_nsqd_that_hangs_is_passed_by() {
    let hung = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let data = tempdir().expect("a directory");
    let nsqd = Daemon::nsqd(data.path(), &[]);
    let addresses = [hung.local_addr().expect("an address").to_string(), tcp(&nsqd)];
    let config = Config { handshake_timeout: Duration::from_millis(50), ..config() };
    let producer = Producer::new(&addresses, config).expect("a producer");
    for number in 0..100 {
        let publishing = producer.publish("t", format!("{number}"));
        soon("publishing", publishing).await.expect("published");
    }
}
