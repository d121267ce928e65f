//! The order of what is said, byte by byte as seen with go-nsq.

use std::time::Duration;

use nsq_client::{Config, Producer};

use crate::nsqd::{Nsqd, config, message, soon};

const IDENTIFY: &str = "{\"client_id\":\"me\",\"deflate\":false,\"deflate_level\":6,\
    \"feature_negotiation\":true,\"heartbeat_interval\":30000,\"hostname\":\"here\",\
    \"long_id\":\"here\",\"msg_timeout\":0,\"output_buffer_size\":16384,\
    \"output_buffer_timeout\":250,\"sample_rate\":0,\"short_id\":\"me\",\"snappy\":false,\
    \"tls_v1\":false,\"user_agent\":\"test/1\"}";

#[tokio::test]
async fn a_consumer_speaks_as_go_nsq_does() {
    let nsqd = Nsqd::start().await;
    let mut consumer = nsq_client::Consumer::new("t", "c", config()).expect("a consumer");
    let addresses = [&nsqd.address];
    let greeting = async {
        let mut client = nsqd.accept().await;
        client.expect(b"  V2IDENTIFY\n").await;
        assert_eq!(String::from_utf8_lossy(&client.sized().await), IDENTIFY);
        client.response(crate::nsqd::FACTS).await;
        client
    };
    let (connected, mut client) = tokio::join!(consumer.connect_to_nsqds(&addresses), greeting);
    connected.expect("it is there");
    client.expect(b"SUB t c\nRDY 10\n").await;
    client.response("OK").await;
    client.response("_heartbeat_").await;
    client.expect(b"NOP\n").await;
    client.send(&[message(1, b"one"), message(2, b"two"), message(3, b"three")].concat()).await;
    let mut next = async || soon("a message", consumer.next()).await.expect("a message");
    next().await.finish();
    client.expect(b"FIN 0000000000000001\n").await;
    let two = next().await;
    two.touch();
    client.expect(b"TOUCH 0000000000000002\n").await;
    two.requeue_after(Duration::from_millis(1500));
    client.expect(b"RDY 0\nREQ 0000000000000002 1500\n").await;
    let three = next().await;
    consumer.handle().stop();
    client.expect(b"CLS\n").await;
    client.response("CLOSE_WAIT").await;
    three.finish();
    client.expect(b"FIN 0000000000000003\n").await;
    client.closed().await;
    assert!(soon("the end", consumer.next()).await.is_none());
}

/// The share is told in front of the FIN that ended the back-off.
#[tokio::test]
async fn back_off_probes_with_one_and_returns() {
    let nsqd = Nsqd::start().await;
    let config = Config { backoff_multiplier: Duration::from_millis(1), ..config() };
    let (mut consumer, mut client) = nsqd.consumer(config).await;
    client.expect(b"RDY 10\n").await;
    client.send(&message(1, b"x")).await;
    soon("a message", consumer.next()).await.expect("a message").requeue();
    client.expect(b"RDY 0\nREQ 0000000000000001 90000\nRDY 1\n").await;
    client.send(&message(2, b"x")).await;
    soon("a message", consumer.next()).await.expect("a message").finish();
    client.expect(b"RDY 10\nFIN 0000000000000002\n").await;
}

#[tokio::test]
async fn a_producer_speaks_as_go_nsq_does() {
    let nsqd = Nsqd::start().await;
    let producer = Producer::new(&[&nsqd.address], config()).expect("a producer");
    let greeting = async {
        let mut client = nsqd.accept().await;
        client.expect(b"  V2IDENTIFY\n").await;
        assert_eq!(String::from_utf8_lossy(&client.sized().await), IDENTIFY);
        client.response("OK").await;
        client
    };
    let (connected, mut client) = tokio::join!(producer.connect(), greeting);
    connected.expect("it is there");
    client.response("_heartbeat_").await;
    client.expect(b"NOP\n").await;
    let bodies = ["ab", "c"];
    let commands: [&[u8]; 3] = [
        b"PUB t\n\0\0\0\x02ab",
        b"MPUB t\n\0\0\0\x0f\0\0\0\x02\0\0\0\x02ab\0\0\0\x01c",
        b"DPUB t 1500\n\0\0\0\x02ab",
    ];
    let publishing = async {
        producer.publish("t", "ab").await?;
        producer.publish_multi("t", &bodies).await?;
        producer.publish_deferred("t", Duration::from_millis(1500), "ab").await
    };
    let answering = async {
        for command in commands {
            client.expect(command).await;
            client.response("OK").await;
        }
    };
    assert_eq!(tokio::join!(publishing, answering).0, Ok(()));
}
