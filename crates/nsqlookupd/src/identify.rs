//! The body of `IDENTIFY`.

use serde_json::{Map, Value};

use crate::registry::Identity;

/// Reads the body. The error is the response after which the connection closes.
pub(crate) fn parse(body: &[u8]) -> Result<Identity, &'static [u8]> {
    let identity =
        decode(body).ok_or(b"E_BAD_BODY IDENTIFY failed to decode JSON body".as_slice())?;
    let is_complete = !identity.broadcast_address.is_empty()
        && identity.tcp_port != 0
        && identity.http_port != 0
        && !identity.version.is_empty();
    if !is_complete {
        return Err(b"E_BAD_BODY IDENTIFY missing fields");
    }
    Ok(identity)
}

fn decode(body: &[u8]) -> Option<Identity> {
    // As Go, which replaces what is no UTF-8.
    let fields = match serde_json::from_str(&String::from_utf8_lossy(body)).ok()? {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        _ => return None,
    };
    let mut identity = Identity::default();
    let mut overwritten = String::new();
    for (name, value) in &fields {
        let text = match name.to_ascii_lowercase().as_str() {
            "tcp_port" => {
                set_port(&mut identity.tcp_port, value)?;
                continue;
            }
            "http_port" => {
                set_port(&mut identity.http_port, value)?;
                continue;
            }
            "hostname" => &mut identity.hostname,
            "broadcast_address" => &mut identity.broadcast_address,
            "version" => &mut identity.version,
            "topology_region" => &mut identity.topology_region,
            "topology_zone" => &mut identity.topology_zone,
            // The real one is known; but it must be text.
            "remote_address" => &mut overwritten,
            _ => continue,
        };
        match value {
            Value::String(value) => text.clone_from(value),
            Value::Null => {}
            _ => return None,
        }
    }
    Some(identity)
}

/// None for what is no whole number.
fn set_port(port: &mut i64, value: &Value) -> Option<()> {
    if !value.is_null() {
        *port = value.as_i64()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_JSON: &str = "E_BAD_BODY IDENTIFY failed to decode JSON body";
    const MISSING: &str = "E_BAD_BODY IDENTIFY missing fields";

    fn check(body: &str, expected: Result<(), &str>) {
        let found = parse(body.as_bytes()).map(drop);
        assert_eq!(found, expected.map_err(str::as_bytes), "{body}");
    }

    #[test]
    fn bodies() {
        let complete = r#"{"broadcast_address":"a","tcp_port":1,"http_port":2,"version":"v"}"#;
        check(complete, Ok(()));
        check(&complete.to_uppercase(), Ok(()));
        check(&complete.replace('1', "0"), Err(MISSING));
        check(&complete.replace("\"a\"", "\"\""), Err(MISSING));
        check(&complete.replace("\"v\"", "null"), Err(MISSING));
        check(&complete.replace('1', "1.5"), Err(NOT_JSON));
        check(&complete.replace('1', "\"1\""), Err(NOT_JSON));
        check(&complete.replace("\"a\"", "1"), Err(NOT_JSON));
        check(&complete.replace('}', ",\"remote_address\":1}"), Err(NOT_JSON));
        check(&complete.replace('}', ",\"other\":1}"), Ok(()));
        check("null", Err(MISSING));
        check("{}", Err(MISSING));
        check("[]", Err(NOT_JSON));
        check("", Err(NOT_JSON));
        check("{", Err(NOT_JSON));
    }

    #[test]
    fn the_topology_is_taken() {
        let body = br#"{"broadcast_address":"a","tcp_port":1,"http_port":2,"version":"v",
            "hostname":"h","topology_zone":"z","topology_region":"r"}"#;
        let identity = parse(body).expect("complete");
        let topology = (&*identity.topology_zone, &*identity.topology_region);
        assert_eq!((topology, &*identity.hostname), (("z", "r"), "h"));
    }
}
