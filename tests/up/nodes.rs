//! Several nodes by one command.

use std::net::SocketAddr;

use nsq_sim::{LookupConsumer, http};

use crate::up_process::Up;

#[test]
fn they_find_each_other() {
    let data = tempfile::tempdir().expect("a directory");
    let up = Up::start_with(data.path(), &["--nodes=3"]);
    let words: Vec<_> = up.welcome().split_whitespace().collect();
    let behind = |name: &str| -> Vec<SocketAddr> {
        let places = words.windows(5).filter(|words| words[0] == name);
        places.flat_map(|words| [words[2].parse(), words[4].parse()]).flatten().collect()
    };
    let (nodes, lookupd) = (behind("nsqd"), behind("nsqlookupd"));
    assert_eq!((nodes.len(), lookupd.len()), (6, 2), "{}", up.welcome());
    for (index, node) in nodes.chunks(2).enumerate() {
        let body = index.to_string();
        let answer = http::post(node[1], "/pub?topic=orders", body.as_bytes());
        assert_eq!(answer.expect("an answer").status, 200);
    }
    let mut consumer = LookupConsumer::new(vec![lookupd[1]], "orders", "archive");
    consumer.receive(&["0", "1", "2"]);
    up.interrupt();
    assert!(data.path().join("node-3").join("nsqd.dat").exists());
}
