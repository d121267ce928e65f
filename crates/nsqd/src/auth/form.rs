//! Form encoding, as Go's `url.Values.Encode` does it.

/// Joins fields in the given order: `a=1&b=sp+ace%26`.
pub(super) fn encode(fields: &[(&str, &[u8])]) -> String {
    let mut form = String::new();
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        value.iter().for_each(|&byte| push(&mut form, byte));
    }
    form
}

fn push(form: &mut String, byte: u8) {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            form.push(char::from(byte));
        }
        b' ' => form.push('+'),
        _ => {
            form.push('%');
            form.push(digit(byte >> 4));
            form.push(digit(byte & 0xf));
        }
    }
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn values_are_escaped_as_in_go() {
        for (value, expected) in [
            ("sp ace&=ü/%".as_bytes(), "sp+ace%26%3D%C3%BC%2F%25"),
            (b"\0\xff", "%00%FF"),
            (b"az-AZ_09.~", "az-AZ_09.~"),
            (b"*'()!+:", "%2A%27%28%29%21%2B%3A"),
            (b"", ""),
        ] {
            assert_eq!(encode(&[("k", value)]), format!("k={expected}"));
        }
        assert_eq!(encode(&[("a", b"1"), ("b", b"2")]), "a=1&b=2");
    }
}
