//! Options over HTTP: all of them can be read, two can be changed.

use std::sync::Arc;

use nsq_app::LogLevel;
use nsq_app::flags::{ConfigValue, FlagSet, FlagValue};
use nsq_app::http::{Answer, Failure, HandlerResult, Request, StatusCode};

use super::{Endpoints, announced};
use crate::options::Options;
use crate::statsd;

pub(super) async fn show(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    answer(&endpoints, request.parameter().unwrap_or_default())
}

pub(super) async fn change(endpoints: Arc<Endpoints>, mut request: Request) -> HandlerResult {
    let limit = endpoints.node.options.max_msg_size;
    let read = request.read_body(limit).await;
    let body = read.map_err(|error| error.refuse("INVALID_VALUE"))?;
    if body.is_empty() {
        return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_VALUE"));
    }
    let key = request.parameter().unwrap_or_default();
    match key {
        "log_level" => {
            let word = std::str::from_utf8(&body).ok();
            let level = word.and_then(|word| word.parse::<LogLevel>().ok());
            let level = level.ok_or(Failure::bad_request("INVALID_VALUE"))?;
            endpoints.node.log.change_level(level);
        }
        "nsqlookupd_tcp_addresses" => {
            let addresses: Option<Vec<String>> =
                serde_json::from_slice(&body).map_err(|_| Failure::bad_request("INVALID_VALUE"))?;
            endpoints.node.set_lookup_peers(&addresses.unwrap_or_default());
        }
        _ => return Err(Failure::bad_request("INVALID_OPTION")),
    }
    answer(&endpoints, key)
}

fn answer(endpoints: &Endpoints, key: &str) -> HandlerResult {
    let value = effective(endpoints, key).ok_or(Failure::bad_request("INVALID_OPTION"))?;
    match value {
        ConfigValue::Text(text) => Ok(Answer::text(text)),
        ConfigValue::Integer(number) => Answer::json(&number),
        ConfigValue::Boolean(is_on) => Answer::json(&is_on),
        ConfigValue::Texts(texts) => Answer::json(&texts),
        ConfigValue::Numbers(numbers) => Answer::json(&numbers),
    }
}

/// What holds now for an option: not always what was given. `None` if there is no such option.
fn effective(endpoints: &Endpoints, key: &str) -> Option<ConfigValue> {
    let Endpoints { node, ports } = endpoints;
    let flag = Options::FLAGS.iter().find(|flag| flag.config_key == Some(key))?;
    let port = |given, bound| ConfigValue::Integer(announced(given, bound).into());
    Some(match key {
        "log_level" => ConfigValue::Integer(i64::from(node.log.level().number())),
        "broadcast_tcp_port" => port(node.options.broadcast_tcp_port, ports.tcp),
        "broadcast_http_port" => port(node.options.broadcast_http_port, ports.http),
        "nsqlookupd_tcp_addresses" => ConfigValue::Texts(node.lookup.addresses()),
        "tls_required" => node.tls_required().config_value(),
        "statsd_prefix" => ConfigValue::Text(statsd::prefix(&node.options, ports.http)),
        _ => (flag.config_value)(&node.options),
    })
}
