//! What shows that a form was sent from a page of ours.

use nsq_app::http::HeaderMap;

use super::cookies::cookie;

/// A secret in a cookie that only our pages see, and which each of their forms repeats: other sites
/// can make a browser send the cookie, but cannot read it ("double submit"). nsqadmin keeps no
/// state, so any of several behind one address takes a form of any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    secret: Secret,
    /// The browser has it already.
    is_known: bool,
    /// What fields of forms hold: another text each time. Pages are compressed and repeat what was
    /// searched for, so that their size would tell the secret itself letter by letter ("BREACH").
    masked: String,
}

type Secret = [u8; TOKEN_BYTES];

/// Names the cookie and the field of forms.
pub(super) const TOKEN_NAME: &str = "nsqadmin_token";
/// Of how many random bytes it is made.
const TOKEN_BYTES: usize = 16;

impl Token {
    /// The one that the browser has, or else a new one.
    ///
    /// # Errors
    ///
    /// When the operating system has no random numbers.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, getrandom::Error> {
        let known = sent(headers);
        let secret = known.map_or_else(random, Ok)?;
        let mask = random()?;
        let masked = format!("{}{}", hex(&mask), hex(&xor(secret, mask)));
        Ok(Self { secret, is_known: known.is_some(), masked })
    }

    /// Whether a form repeats what the cookie says.
    pub(super) fn is_repeated(headers: &HeaderMap, field: &str) -> bool {
        let Some((mask, masked)) = field.split_at_checked(2 * TOKEN_BYTES) else { return false };
        let (Some(mask), Some(masked)) = (unhex(mask), unhex(masked)) else { return false };
        sent(headers) == Some(xor(masked, mask))
    }

    /// The value of `Set-Cookie`, if the browser has to be told.
    pub(super) fn cookie(&self, path: &str, is_https: bool) -> Option<String> {
        let secure = if is_https { "; Secure" } else { "" };
        let text = hex(&self.secret);
        let cookie =
            || format!("{TOKEN_NAME}={text}; Path={path}; HttpOnly; SameSite=Strict{secure}");
        (!self.is_known).then(cookie)
    }

    /// For fields of forms.
    pub(super) fn masked(&self) -> &str {
        &self.masked
    }
}

/// The token among the cookies; what has not its form is none.
fn sent(headers: &HeaderMap) -> Option<Secret> {
    unhex(cookie(headers, TOKEN_NAME)?)
}

fn random() -> Result<Secret, getrandom::Error> {
    let mut random = Secret::default();
    getrandom::fill(&mut random)?;
    Ok(random)
}

fn xor(mut secret: Secret, mask: Secret) -> Secret {
    for (byte, mask) in secret.iter_mut().zip(mask) {
        *byte ^= mask;
    }
    secret
}

fn hex(secret: &Secret) -> String {
    secret.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Secret> {
    let has_form = text.len() == 2 * TOKEN_BYTES && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = has_form.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn headers(cookies: &[String]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append("cookie", cookie.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn only_what_the_cookie_says_will_do() {
        let ours = headers(&[format!("a=b; {TOKEN_NAME}={SECRET}")]);
        let field = Token::of(&ours).expect("random numbers").masked().to_owned();
        assert!(Token::is_repeated(&ours, &field));
        let others = headers(&[format!("{TOKEN_NAME}={}", SECRET.replace('0', "1"))]);
        assert!(!Token::is_repeated(&others, &field));
        let odd = "é".repeat(32);
        for wrong in ["", "0", SECRET, &field[1..], &format!("{field}0"), &odd] {
            assert!(!Token::is_repeated(&ours, wrong), "{wrong}");
        }
        for cookie in ["", "0123", "0123456789abcdef0123456789abcde<"] {
            let wrong = headers(&[format!("{TOKEN_NAME}={cookie}")]);
            assert!(!Token::is_repeated(&wrong, &field), "{cookie}");
        }
        assert!(!Token::is_repeated(&headers(&[]), &field));
    }

    #[test]
    fn a_browser_is_told_once() {
        let new = Token::of(&headers(&[])).expect("random numbers");
        let cookie = new.cookie("/base", true).expect("it is new");
        assert!(cookie.ends_with("; Path=/base; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
        let told = headers(&[cookie]);
        let again = Token::of(&told).expect("random numbers");
        assert_eq!((again.secret, again.cookie("/", false)), (new.secret, None));
        assert!(Token::is_repeated(&told, new.masked()));
        assert_ne!(again.masked(), new.masked());
        assert_ne!(Token::of(&headers(&[])).expect("random numbers").secret, new.secret);
    }
}
