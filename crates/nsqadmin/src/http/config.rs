//! Options over HTTP: all of them can be read, two can be changed.

use std::sync::Arc;

use nsq_app::LogLevel;
use nsq_app::flags::{ConfigValue, FlagSet};
use nsq_app::http::{Answer, Failure, HandlerResult, Request, StatusCode};

use crate::access::{self, forbidden};
use crate::address;
use crate::admin::Admin;
use crate::graphite::redacted;
use crate::options::Options;

/// No value is longer.
const VALUE_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn show(admin: Arc<Admin>, request: Request) -> HandlerResult {
    admit(&admin, &request)?;
    answer(&admin, request.parameter().unwrap_or_default())
}

/// For admins only: who chooses the nsqlookupds chooses whom everything is asked, and who is shown
/// the token.
pub(super) async fn change(admin: Arc<Admin>, mut request: Request) -> HandlerResult {
    admit(&admin, &request)?;
    access::admit(&admin.options, request.headers())?;
    let read = request.read_body(VALUE_BYTES_MAX).await;
    let body = read.map_err(|error| error.refuse("INVALID_VALUE"))?;
    if body.is_empty() {
        return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_VALUE"));
    }
    let invalid = || Failure::bad_request("INVALID_VALUE");
    let key = request.parameter().unwrap_or_default();
    match key {
        "log_level" => {
            let word = std::str::from_utf8(&body).ok();
            let level = word.and_then(|word| word.parse::<LogLevel>().ok());
            admin.log.change_level(level.ok_or_else(invalid)?);
        }
        "nsqlookupd_http_addresses" => {
            let addresses: Option<Vec<String>> =
                serde_json::from_slice(&body).map_err(|_| invalid())?;
            let addresses = addresses.unwrap_or_default();
            let is_nobody = addresses.is_empty() && admin.options.nsqd_http_addresses.is_empty();
            if is_nobody || addresses.iter().any(|address| address::split(address).is_err()) {
                return Err(invalid());
            }
            *admin.lookupds.write() = addresses;
        }
        _ => return Err(Failure::bad_request("INVALID_OPTION")),
    }
    answer(&admin, key)
}

/// Who may ask is decided by where they are.
fn admit(admin: &Admin, request: &Request) -> Result<(), Failure> {
    let Some(range) = admin.config_from else { return Ok(()) };
    let ip = request.peer().ip().ok_or(Failure::bad_request("INVALID_REMOTE_ADDR"))?;
    if range.contains(ip) { Ok(()) } else { Err(forbidden()) }
}

fn answer(admin: &Admin, key: &str) -> HandlerResult {
    let value = effective(admin, key).ok_or(Failure::bad_request("INVALID_OPTION"))?;
    match value {
        ConfigValue::Text(text) => Ok(Answer::text(text)),
        ConfigValue::Integer(number) => Answer::json(&number),
        ConfigValue::Boolean(is_on) => Answer::json(&is_on),
        ConfigValue::Texts(texts) => Answer::json(&texts),
        ConfigValue::Numbers(numbers) => Answer::json(&numbers),
    }
}

/// What holds now for an option: not always what was given, and without passwords. `None` if there
/// is no such option.
fn effective(admin: &Admin, key: &str) -> Option<ConfigValue> {
    let flag = Options::FLAGS.iter().find(|flag| flag.config_key == Some(key))?;
    Some(match key {
        "log_level" => ConfigValue::Integer(i64::from(admin.log.level().number())),
        "base_path" => ConfigValue::Text(admin.options.base_path()),
        "nsqlookupd_http_addresses" => ConfigValue::Texts(admin.lookupds.read().clone()),
        _ => match (flag.config_value)(&admin.options) {
            ConfigValue::Text(text) => ConfigValue::Text(redacted(&text).into_owned()),
            value => value,
        },
    })
}
