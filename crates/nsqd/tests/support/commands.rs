//! Bytes of commands with a body.

/// Sixteen bytes that are no message's id.
pub(crate) const UNKNOWN_ID: &str = "0000000000000000";

/// Any bytes behind their size.
pub(crate) fn with_size(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let size = u32::try_from(body.len()).expect("test bodies are small");
    [&size.to_be_bytes(), body].concat()
}

pub(crate) fn publish(topic: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    [format!("PUB {topic}\n").into_bytes(), with_size(body)].concat()
}

pub(crate) fn deferred(topic: &str, delay_ms: u64, body: impl AsRef<[u8]>) -> Vec<u8> {
    [format!("DPUB {topic} {delay_ms}\n").into_bytes(), with_size(body)].concat()
}

pub(crate) fn publish_many<B: AsRef<[u8]>>(topic: &str, bodies: &[B]) -> Vec<u8> {
    let count = u32::try_from(bodies.len()).expect("tests publish few");
    let mut batch = count.to_be_bytes().to_vec();
    bodies.iter().for_each(|body| batch.extend(with_size(body)));
    [format!("MPUB {topic}\n").into_bytes(), with_size(batch)].concat()
}

pub(crate) fn identify(json: impl AsRef<[u8]>) -> Vec<u8> {
    [b"IDENTIFY\n".to_vec(), with_size(json)].concat()
}
