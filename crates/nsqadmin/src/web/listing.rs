//! Long tables: searched, sorted and shown page by page, by links and a form.

use std::cmp::Ordering;

use maud::{Markup, html};
use nsq_app::http::{Failure, Query};

use super::figures;
use super::visit::{Visit, escaped};

/// How many rows a page has.
const ROWS_MAX: usize = 100;
/// How many where each is a table of its own.
const BLOCKS_MAX: usize = 25;
/// No name is longer.
const TEXT_BYTES_MAX: usize = 256;

/// What of a table is to be shown, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// Part of the names; all without.
    text: String,
    /// The column to sort by, and whether the largest come first.
    column: String,
    is_descending: bool,
    /// From 0 on.
    page: usize,
    /// Of a page.
    rows_max: usize,
}

/// The rows of one page.
pub(super) struct Rows<T> {
    pub(super) shown: Vec<T>,
    /// How many match.
    pub(super) total: usize,
}

/// What a column holds, for its order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    /// Whose largest values are looked for first.
    Figure,
    /// Of which the longest are looked for first.
    List,
}

impl Listing {
    /// From a query: `match`, `sort` (`-depth` for the deepest first) and `page`, from 1 on.
    pub(super) fn of(query: &Query<'_>) -> Result<Self, Failure> {
        let text = query.first("match").unwrap_or_default().trim().to_owned();
        if text.len() > TEXT_BYTES_MAX {
            return Err(Failure::bad_request("INVALID_ARG_MATCH"));
        }
        let sort = query.first("sort").unwrap_or_default();
        let (is_descending, column) =
            sort.strip_prefix('-').map_or((false, &*sort), |column| (true, column));
        let page = query.first("page").and_then(|page| page.parse::<usize>().ok());
        Ok(Self {
            text,
            column: column.chars().take(TEXT_BYTES_MAX).collect(),
            is_descending,
            page: page.unwrap_or(1).saturating_sub(1),
            rows_max: ROWS_MAX,
        })
    }

    /// The same of something where each row is a table of its own.
    pub(super) fn of_blocks(query: &Query<'_>) -> Result<Self, Failure> {
        Ok(Self { rows_max: BLOCKS_MAX, ..Self::of(query)? })
    }

    /// Whether a row with this name is looked for.
    pub(super) fn matches(&self, name: &str) -> bool {
        // Names are ASCII.
        let text = self.text.as_bytes();
        text.is_empty()
            || name.as_bytes().windows(text.len()).any(|part| part.eq_ignore_ascii_case(text))
    }

    /// Sorts rows by the column that was asked for, which `compare` knows by its key, and
    /// otherwise leaves them as they are; equal ones stay in their order.
    pub(super) fn rows<T>(
        &self,
        mut rows: Vec<T>,
        compare: impl Fn(&str, &T, &T) -> Ordering,
    ) -> Rows<T> {
        let total = rows.len();
        if !self.column.is_empty() {
            rows.sort_by(|a, b| {
                let order = compare(&self.column, a, b);
                if self.is_descending { order.reverse() } else { order }
            });
        }
        let last = total.saturating_sub(1) / self.rows_max;
        let first = self.page.min(last) * self.rows_max;
        Rows { shown: rows.into_iter().skip(first).take(self.rows_max).collect(), total }
    }

    /// The field to search with.
    pub(super) fn search(&self, visit: &Visit, label: &str) -> Markup {
        let t = visit.language;
        let path = visit.path();
        html! {
            form.search role="search" method="get" action=(path) {
                label for="match" { (label) }
                input #match type="search" name="match" value=(self.text) maxlength=(TEXT_BYTES_MAX)
                    autocomplete="off" hx-get=(path) hx-include="closest form"
                    hx-trigger="input changed delay:250ms, search" hx-target="#main"
                    hx-swap="morph:innerHTML" hx-replace-url="true";
                @if !self.column.is_empty() {
                    input type="hidden" name="sort" value=(self.sort());
                }
                button type="submit" { (t.search()) }
            }
        }
    }

    /// The head of a column that can be sorted by.
    pub(super) fn head(&self, visit: &Visit, key: &str, label: &str, kind: Kind) -> Markup {
        let is_current = self.column == key;
        // The first click brings what one looks for, the second turns it round.
        let descends = if is_current { !self.is_descending } else { kind != Kind::Name };
        let sort = if descends { format!("-{key}") } else { key.to_owned() };
        let link = self.link(visit, &sort, 0);
        let order = is_current.then_some(match self.is_descending {
            true => "descending",
            false => "ascending",
        });
        html! {
            th scope="col" aria-sort=[order] class=[(kind == Kind::Figure).then_some("figure")] {
                (swapped(&link, label))
            }
        }
    }

    /// Links to the other pages, if there are any.
    pub(super) fn pager<T>(&self, visit: &Visit, rows: &Rows<T>) -> Markup {
        let t = visit.language;
        let pages = rows.total.div_ceil(self.rows_max);
        if pages <= 1 {
            return html! {};
        }
        let page = self.page.min(pages - 1);
        let first = page * self.rows_max;
        let (from, to) = (figures::count(first + 1), figures::count(first + rows.shown.len()));
        let sort = self.sort();
        html! {
            nav.pager aria-label=(t.pages()) {
                @if page > 0 { (swapped(&self.link(visit, &sort, page - 1), t.previous())) }
                span { (t.rows_of(&from, &to, &figures::count(rows.total))) }
                @if page + 1 < pages { (swapped(&self.link(visit, &sort, page + 1), t.next())) }
            }
        }
    }

    fn sort(&self) -> String {
        format!("{}{}", if self.is_descending { "-" } else { "" }, self.column)
    }

    fn link(&self, visit: &Visit, sort: &str, page: usize) -> String {
        let mut pairs = Vec::new();
        if !self.text.is_empty() {
            pairs.push(format!("match={}", escaped(&self.text)));
        }
        if !sort.is_empty() {
            pairs.push(format!("sort={}", escaped(sort)));
        }
        if page > 0 {
            pairs.push(format!("page={}", page + 1));
        }
        let path = visit.path();
        if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
    }
}

/// A link that changes only what is inside of the page.
fn swapped(link: &str, label: &str) -> Markup {
    html! {
        a href=(link) hx-get=(link) hx-target="#main" hx-swap="morph:innerHTML" hx-push-url="true" {
            (label)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(query: &str) -> Listing {
        Listing::of(&Query::parse(query).expect("well-formed")).expect("allowed")
    }

    fn rows(query: &str, rows: Vec<usize>) -> (Vec<usize>, usize) {
        let rows = listing(query).rows(rows, |column, a, b| match column {
            "size" => a.cmp(b),
            _ => Ordering::Equal,
        });
        (rows.shown, rows.total)
    }

    #[test]
    fn rows_are_sorted() {
        assert_eq!(rows("", vec![2, 3, 1]).0, [2, 3, 1]);
        assert_eq!(rows("sort=size", vec![2, 3, 1]).0, [1, 2, 3]);
        assert_eq!(rows("sort=-size", vec![2, 3, 1]).0, [3, 2, 1]);
        assert_eq!(rows("sort=%3Cb%3E", vec![2, 3, 1]).0, [2, 3, 1]);
    }

    #[test]
    fn rows_come_in_pages() {
        let all: Vec<_> = (0..250).collect();
        for (query, first, count) in [
            ("", 0, 100),
            ("page=2", 100, 100),
            ("page=3", 200, 50),
            ("page=4", 200, 50),
            ("page=0", 0, 100),
            ("page=x", 0, 100),
            ("page=99999999999999999999", 0, 100),
        ] {
            let (shown, total) = rows(query, all.clone());
            assert_eq!((shown[0], shown.len(), total), (first, count, 250), "{query}");
        }
        assert_eq!(rows("page=7", Vec::new()), (Vec::new(), 0));
    }

    #[test]
    fn names_are_searched_in_any_case() {
        let listing = listing("match=+OrD+");
        assert!(listing.matches("orders") && listing.matches("my.ORDERS"));
        assert!(!listing.matches("or") && !listing.matches(""));
        let long = format!("match={}", "x".repeat(TEXT_BYTES_MAX + 1));
        assert!(Listing::of(&Query::parse(&long).expect("well-formed")).is_err());
    }
}
