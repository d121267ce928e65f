//! What a form has done, told on the page that it led to.

use maud::{Markup, html};
use nsq_app::http::Query;

use super::visit::Visit;

/// Something that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Paused,
    Unpaused,
    Emptied,
    Deleted,
    Tombstoned,
    Published,
}

/// By their names in links: text from a link is never shown.
const NAMES: [(&str, Outcome); 7] = [
    ("created", Outcome::Created),
    ("paused", Outcome::Paused),
    ("unpaused", Outcome::Unpaused),
    ("emptied", Outcome::Emptied),
    ("deleted", Outcome::Deleted),
    ("tombstoned", Outcome::Tombstoned),
    ("published", Outcome::Published),
];

impl Outcome {
    /// The one that a link tells of.
    pub(super) fn of(query: &Query<'_>) -> Option<Self> {
        let name = query.first("done")?;
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, outcome)| *outcome)
    }

    /// A link to a page that tells of it.
    pub(super) fn link(self, page: &str) -> String {
        let name = NAMES.iter().find(|(_, outcome)| *outcome == self);
        name.map_or_else(|| page.to_owned(), |(name, _)| format!("{page}?done={name}"))
    }
}

/// The box that tells of it.
pub(super) fn done(visit: &Visit, outcome: Option<Outcome>) -> Markup {
    let t = visit.language;
    let text = outcome.map(|outcome| match outcome {
        Outcome::Created => t.created(),
        Outcome::Paused => t.was_paused(),
        Outcome::Unpaused => t.was_unpaused(),
        Outcome::Emptied => t.was_emptied(),
        Outcome::Deleted => t.was_deleted(),
        Outcome::Tombstoned => t.was_tombstoned(),
        Outcome::Published => t.was_published(),
    });
    html! { @if let Some(text) = text { div.notice.done role="status" { (text) } } }
}
