//! A part of a long list: what matches a text, from one place on, and no more than so many.

use nsq_app::http::{Failure, Query};

/// No text to look for is longer; names of topics and channels have 64 characters at most.
const TEXT_BYTES_MAX: usize = 256;
/// Nothing that is listed is that long.
const OFFSET_MAX: usize = 100_000_000;
/// Whoever wants more at once gives no limit.
const LIMIT_MAX: usize = 100_000;

/// Which part of a list is wanted. The default is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// What names must contain, in lower case.
    text: Option<String>,
    offset: Option<usize>,
    limit: Option<usize>,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// How many match, on this page or not.
    pub(crate) total: usize,
    /// For the field `total` of the API, which is there only for those who asked for a part.
    pub(crate) said_total: Option<usize>,
}

impl Selection {
    /// Of the arguments `match`, `offset` and `limit`.
    ///
    /// # Errors
    ///
    /// `400 INVALID_ARG_MATCH`, `400 INVALID_ARG_OFFSET`, `400 INVALID_ARG_LIMIT`
    pub(crate) fn of(query: &Query<'_>) -> Result<Self, Failure> {
        let text = query.first("match");
        if text.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(Failure::bad_request("INVALID_ARG_MATCH"));
        }
        Ok(Self {
            text: text.map(|text| text.to_lowercase()),
            offset: number(query, "offset", OFFSET_MAX, "INVALID_ARG_OFFSET")?,
            limit: number(query, "limit", LIMIT_MAX, "INVALID_ARG_LIMIT")?,
        })
    }

    /// Whether something was asked for.
    pub(crate) fn is_given(&self) -> bool {
        *self != Self::default()
    }

    /// The selected part of a list that is in its order already.
    pub(crate) fn apply<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> &str,
    ) -> Page<T> {
        let (offset, limit) = (self.offset.unwrap_or(0), self.limit.unwrap_or(usize::MAX));
        let (mut selected, mut total) = (Vec::new(), 0_usize);
        for item in items.into_iter().filter(|item| self.matches(name(item))) {
            if total >= offset && selected.len() < limit {
                selected.push(item);
            }
            total += 1;
        }
        Page { items: selected, total, said_total: self.is_given().then_some(total) }
    }

    fn matches(&self, name: &str) -> bool {
        let is_in = |text: &String| text.is_empty() || name.to_lowercase().contains(&**text);
        self.text.as_ref().is_none_or(is_in)
    }
}

fn number(
    query: &Query<'_>,
    key: &str,
    max: usize,
    refusal: &'static str,
) -> Result<Option<usize>, Failure> {
    let Some(text) = query.first(key) else { return Ok(None) };
    // Digits only: `parse` alone would take a sign.
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|text| text.parse().ok()).filter(|number| *number <= max);
    number.map(Some).ok_or(Failure::bad_request(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(query: &str) -> Result<Selection, Failure> {
        Selection::of(&Query::parse(query).expect("a well-formed query"))
    }

    #[test]
    fn parts_of_a_list() {
        const NAMES: [&str; 5] = ["Alpha", "beta#ephemeral", "betamax", "gamma", "Äpfel"];
        for (query, expected, total) in [
            ("", &NAMES[..], None),
            ("x=1", &NAMES[..], None),
            ("match=", &NAMES[..], Some(5)),
            ("match=BETA", &["beta#ephemeral", "betamax"][..], Some(2)),
            ("match=%23eph", &["beta#ephemeral"][..], Some(1)),
            ("match=%C3%A4", &["Äpfel"][..], Some(1)),
            ("match=none", &[][..], Some(0)),
            ("offset=3", &["gamma", "Äpfel"][..], Some(5)),
            ("offset=9", &[][..], Some(5)),
            ("limit=2", &["Alpha", "beta#ephemeral"][..], Some(5)),
            ("limit=0", &[][..], Some(5)),
            ("limit=1&offset=1&match=a", &["beta#ephemeral"][..], Some(4)),
        ] {
            let page = selection(query).expect(query).apply(NAMES, |name| name);
            assert_eq!((&*page.items, page.said_total), (expected, total), "{query}");
            assert_eq!(page.total, total.unwrap_or(NAMES.len()), "{query}");
        }
    }

    #[test]
    fn pages_one_after_the_other_are_the_whole() {
        let names: Vec<_> = (0..23).map(|number| format!("t{number}")).collect();
        for limit in 1..25 {
            let mut whole = Vec::new();
            for offset in (0..names.len()).step_by(limit) {
                let selection = selection(&format!("limit={limit}&offset={offset}"));
                let page = selection.expect("numbers").apply(names.clone(), |name| name);
                assert_eq!(page.total, names.len());
                whole.extend(page.items);
            }
            assert_eq!(whole, names, "{limit}");
        }
    }

    #[test]
    fn arguments_that_are_none() {
        let long = format!("match={}", "x".repeat(TEXT_BYTES_MAX + 1));
        for (query, expected) in [
            (&*long, "INVALID_ARG_MATCH"),
            ("offset=", "INVALID_ARG_OFFSET"),
            ("offset=-1", "INVALID_ARG_OFFSET"),
            ("offset=100000001", "INVALID_ARG_OFFSET"),
            ("offset=99999999999999999999999", "INVALID_ARG_OFFSET"),
            ("limit=%2B1", "INVALID_ARG_LIMIT"),
            ("limit=x", "INVALID_ARG_LIMIT"),
            ("limit=1.5", "INVALID_ARG_LIMIT"),
            ("limit=100001", "INVALID_ARG_LIMIT"),
        ] {
            assert_eq!(selection(query), Err(Failure::bad_request(expected)), "{query}");
        }
    }
}
