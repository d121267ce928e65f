//! Publishing over HTTP: one append per request.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use nsq_app::http::{Answer, Failure, HandlerResult, Request, StatusCode};

use super::{Endpoints, topic_name};
use crate::topic::{Publication, Topic};

const TOO_LARGE: StatusCode = StatusCode::PAYLOAD_TOO_LARGE;
/// What stands before each message of a block.
const SIZE_BYTES: usize = 4;

pub(super) async fn publish(endpoints: Arc<Endpoints>, mut request: Request) -> HandlerResult {
    let node = &endpoints.node;
    let limit = node.options.max_msg_size;
    let read = request.read_body_behind(SIZE_BYTES, limit).await;
    let mut block = read.map_err(|error| error.refuse("MSG_TOO_BIG"))?;
    let size = block.len() - SIZE_BYTES;
    if size == 0 {
        return Err(Failure::bad_request("MSG_EMPTY"));
    }
    // Below the limit on sizes, which is below 2^31.
    block[..SIZE_BYTES].copy_from_slice(&(size as u32).to_be_bytes());
    let query = request.query()?;
    let name = topic_name(&query, "INVALID_TOPIC")?;
    let topic = node.topic_soon(&name).await.map_err(|_| exiting())?;
    let delay_ms = match query.first("defer") {
        None => 0,
        Some(text) => parse_defer(&text, node.limits.max_req_timeout_ms)
            .ok_or(Failure::bad_request("INVALID_DEFER"))?,
    };
    publish_block(&topic, Publication { block: block.freeze(), count: 1, delay_ms }).await
}

pub(super) async fn publish_many(endpoints: Arc<Endpoints>, mut request: Request) -> HandlerResult {
    let node = &endpoints.node;
    let limits = &node.limits;
    let announced = request.headers().get("content-length");
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > limits.max_body_size) {
        return Err(Failure::new(TOO_LARGE, "BODY_TOO_BIG"));
    }
    let (topic, binary) = {
        let query = request.query()?;
        let name = topic_name(&query, "INVALID_TOPIC")?;
        let topic = node.topic_soon(&name).await.map_err(|_| exiting())?;
        let binary = query.first("binary").map(|binary| binary.into_owned());
        (topic, binary)
    };
    let binary = match binary.as_deref() {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(other) => {
            node.log
                .warning(format_args!("deprecated value {other:?} used for /mpub binary param"));
            true
        }
    };
    let read = request.read_body(limits.max_body_size).await;
    let body = read.map_err(|error| error.refuse("BODY_TOO_BIG"))?;
    let messages = if binary {
        parse_binary(&body, limits.max_batch_count(), limits.max_msg_size)?
    } else {
        parse_lines(&body, limits.max_msg_size)?
    };
    match messages {
        None => Ok(Answer::text("OK")),
        Some((block, count)) => {
            publish_block(&topic, Publication { block, count, delay_ms: 0 }).await
        }
    }
}

async fn publish_block(topic: &Arc<Topic>, publication: Publication) -> HandlerResult {
    let published = {
        // The semaphore is never closed.
        let permit = topic.node.append_permits.acquire().await;
        let published = topic.publish(publication);
        drop(permit);
        published
    };
    let end = published.map_err(|_| exiting())?;
    topic.after_publish(end).await.map_err(|_| exiting())?;
    Ok(Answer::text("OK"))
}

/// The delay in milliseconds: a base-10 number with an optional sign, 0 to `limit_ms`.
fn parse_defer(text: &str, limit_ms: u64) -> Option<u64> {
    let delay_ms = u64::try_from(text.parse::<i64>().ok()?).ok()?;
    (delay_ms <= limit_ms).then_some(delay_ms)
}

/// Every non-empty line is a message. `None` when there is none.
fn parse_lines(body: &Bytes, max_msg_size: u64) -> Result<Option<(Bytes, u32)>, Failure> {
    let mut block = BytesMut::with_capacity(body.len() + body.len() / 8 + 4);
    let mut count = 0;
    for line in body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        if line.len() as u64 > max_msg_size {
            return Err(Failure::new(TOO_LARGE, "MSG_TOO_BIG"));
        }
        put(&mut block, line);
        count += 1;
    }
    Ok((count > 0).then(|| (block.freeze(), count)))
}

/// A count, then that many messages with their sizes. Bytes behind them are ignored.
fn parse_binary(
    body: &Bytes,
    max_count: u64,
    max_msg_size: u64,
) -> Result<Option<(Bytes, u32)>, Failure> {
    let bad = |message| Failure::new(TOO_LARGE, message);
    let count = read_size(body, 0).ok_or_else(|| bad("BAD_BODY"))?;
    if u64::from(count) > max_count {
        return Err(bad("BAD_BODY"));
    }
    let mut end = 4;
    for _ in 0..count {
        let size = read_size(body, end).filter(|&size| u64::from(size) <= max_msg_size);
        end += 4 + size.ok_or_else(|| bad("BAD_MESSAGE"))? as usize;
        if end > body.len() {
            return Err(bad("BAD_MESSAGE"));
        }
    }
    Ok(Some((body.slice(SIZE_BYTES..end), count)))
}

/// A positive signed 32-bit number.
fn read_size(body: &[u8], offset: usize) -> Option<u32> {
    let bytes = body.get(offset..)?.first_chunk::<4>()?;
    u32::try_from(i32::from_be_bytes(*bytes)).ok().filter(|&size| size > 0)
}

fn put(block: &mut BytesMut, message: &[u8]) {
    // Below the limit on sizes, which is below 2^31.
    block.put_u32(message.len() as u32);
    block.put_slice(message);
}

fn exiting() -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "EXITING")
}
