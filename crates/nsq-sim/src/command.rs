//! The bytes of commands.

/// What a connection begins with.
pub(crate) const MAGIC: &[u8] = b"  V2";

pub(crate) fn identify(json: &str) -> Vec<u8> {
    with_block("IDENTIFY", json.as_bytes())
}

/// `PUB`.
pub fn publish(topic: &str, body: &[u8]) -> Vec<u8> {
    with_block(&format!("PUB {topic}"), body)
}

/// `DPUB`.
pub fn publish_deferred(topic: &str, delay_ms: u64, body: &[u8]) -> Vec<u8> {
    with_block(&format!("DPUB {topic} {delay_ms}"), body)
}

/// `MPUB`.
pub fn publish_many(topic: &str, bodies: &[Vec<u8>]) -> Vec<u8> {
    with_block(&format!("MPUB {topic}"), &batch(bodies))
}

/// `SUB`.
pub fn subscribe(topic: &str, channel: &str) -> Vec<u8> {
    format!("SUB {topic} {channel}\n").into_bytes()
}

/// `RDY`.
pub fn ready(count: u32) -> Vec<u8> {
    format!("RDY {count}\n").into_bytes()
}

/// `FIN`.
pub fn finish(id: &str) -> Vec<u8> {
    format!("FIN {id}\n").into_bytes()
}

/// `REQ`.
pub fn requeue(id: &str, delay_ms: u64) -> Vec<u8> {
    format!("REQ {id} {delay_ms}\n").into_bytes()
}

/// A count, then every body behind its size: what `MPUB` and a binary `/mpub` take.
pub(crate) fn batch(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut batch = size(bodies.len()).to_vec();
    for body in bodies {
        batch.extend(size(body.len()));
        batch.extend(body);
    }
    batch
}

fn with_block(line: &str, block: &[u8]) -> Vec<u8> {
    let mut bytes = line.as_bytes().to_vec();
    bytes.push(b'\n');
    bytes.extend(size(block.len()));
    bytes.extend(block);
    bytes
}

fn size(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a test publishes little").to_be_bytes()
}
