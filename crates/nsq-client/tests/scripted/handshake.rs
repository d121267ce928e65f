//! What a daemon can say before it is trusted.

use nsq_client::{Config, Consumer};

use crate::nsqd::{Nsqd, config};

/// Somebody in between could have said something in front of TLS that was then taken for a word
/// of the daemon's.
#[tokio::test]
async fn what_comes_ahead_of_tls_is_not_taken_for_tls() {
    let nsqd = Nsqd::start().await;
    let mut config = Config { tls_v1: true, ..config() };
    config.tls.skip_verification = true;
    let mut consumer = Consumer::new("t", "c", config).expect("a consumer");
    let addresses = [&nsqd.address];
    let script = async {
        let mut client = nsqd.accept().await;
        client.expect(b"  V2IDENTIFY\n").await;
        client.sized().await;
        let answer = crate::nsqd::frame(0, br#"{"tls_v1":true}"#);
        client.send(&[&answer[..], b"\0\0\0\x06\0\0\0\0OK"].concat()).await;
        client
    };
    let (connected, _client) = tokio::join!(consumer.connect_to_nsqds(&addresses), script);
    let error = connected.expect_err("no TLS").to_string();
    assert_eq!(error, "something came ahead of TLS");
}
