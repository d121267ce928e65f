//! Buttons that do something: each is a form that is posted.

use maud::{Markup, html};

use super::token::TOKEN_NAME;
use super::visit::Visit;

/// The field that says that somebody was asked and is sure.
pub(super) const CONFIRMED: &str = "confirmed";
pub(super) const YES: &str = "yes";

/// One button.
pub(super) struct Button<'a> {
    /// Where it is posted to.
    pub(super) link: String,
    /// What is sent, by the names of fields.
    pub(super) fields: &'a [(&'a str, &'a str)],
    pub(super) label: &'a str,
    /// What is asked before it is done; nothing is asked without.
    pub(super) question: Option<String>,
    /// Told apart by this from others with its label on the page; empty if there are none.
    pub(super) of: &'a str,
}

/// The form of a button. With a question and scripting it is asked in a dialog, otherwise the
/// answer to the form is a page that asks.
pub(super) fn button(visit: &Visit, button: &Button<'_>) -> Markup {
    let is_dangerous = button.question.is_some();
    let name = (!button.of.is_empty()).then(|| format!("{} {}", button.label, button.of));
    html! {
        form method="post" action=(button.link) data-confirm=[button.question.as_deref()] {
            (hidden(visit, button.fields))
            button type="submit" class=[is_dangerous.then_some("danger")] aria-label=[name] {
                (button.label)
            }
        }
    }
}

/// The fields of a form that nobody sees.
pub(super) fn hidden(visit: &Visit, fields: &[(&str, &str)]) -> Markup {
    html! {
        input type="hidden" name=(TOKEN_NAME) value=(visit.token.masked());
        @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
    }
}

/// The page that asks, for those without scripting.
pub(super) fn question(
    visit: &Visit,
    (question, fields): (&str, &[(&str, &str)]),
    (link, back): (&str, &str),
) -> Markup {
    let t = visit.language;
    html! {
        h1 { (t.are_you_sure()) }
        p { (question) }
        form method="post" action=(link) {
            (hidden(visit, fields))
            input type="hidden" name=(CONFIRMED) value=(YES);
            p.buttons {
                a.button href=(back) { (t.cancel()) }
                button.danger type="submit" { (t.yes()) }
            }
        }
    }
}
