//! What shows that a form was sent from a page of ours.

use nsq_app::http::HeaderMap;

use super::cookies::cookie;

/// A secret in a cookie that only our pages see, and which each of their forms repeats: other sites
/// can make a browser send the cookie, but cannot read it ("double submit"). nsqadmin keeps no
/// state, so any of several behind one address takes a form of any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    text: String,
    /// The browser has it already.
    is_known: bool,
}

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
        if let Some(text) = sent(headers) {
            return Ok(Self { text: text.to_owned(), is_known: true });
        }
        let mut random = [0; TOKEN_BYTES];
        getrandom::fill(&mut random)?;
        let text = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { text, is_known: false })
    }

    /// Whether a form repeats what the cookie says.
    pub(super) fn is_repeated(headers: &HeaderMap, field: &str) -> bool {
        sent(headers).is_some_and(|text| text == field)
    }

    /// The value of `Set-Cookie`, if the browser has to be told.
    pub(super) fn cookie(&self, path: &str, is_https: bool) -> Option<String> {
        let secure = if is_https { "; Secure" } else { "" };
        let Self { text, .. } = self;
        let cookie =
            || format!("{TOKEN_NAME}={text}; Path={path}; HttpOnly; SameSite=Strict{secure}");
        (!self.is_known).then(cookie)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The token among the cookies; what has not its form is none.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let text = cookie(headers, TOKEN_NAME)?;
    let has_form = text.len() == 2 * TOKEN_BYTES && text.bytes().all(|b| b.is_ascii_hexdigit());
    has_form.then_some(text)
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
    fn only_the_secret_of_the_cookie_will_do() {
        let ours = headers(&[format!("a=b; {TOKEN_NAME}={SECRET}")]);
        assert!(Token::is_repeated(&ours, SECRET));
        for wrong in ["", "0", &SECRET[1..], &SECRET.to_uppercase()] {
            assert!(!Token::is_repeated(&ours, wrong), "{wrong}");
        }
        for cookie in ["", "0123", "0123456789abcdef0123456789abcde<"] {
            let wrong = headers(&[format!("{TOKEN_NAME}={cookie}")]);
            assert!(!Token::is_repeated(&wrong, cookie), "{cookie}");
        }
        assert!(!Token::is_repeated(&headers(&[]), ""));
    }

    #[test]
    fn a_browser_is_told_once() {
        let new = Token::of(&headers(&[])).expect("random numbers");
        let cookie = new.cookie("/base", true).expect("it is new");
        let attributes = "; Path=/base; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(cookie, format!("{TOKEN_NAME}={}{attributes}", new.text()));
        let told = headers(&[cookie]);
        let again = Token::of(&told).expect("random numbers");
        assert_eq!((again.text(), again.cookie("/", false)), (new.text(), None));
        assert_ne!(Token::of(&headers(&[])), Token::of(&headers(&[])));
    }
}
