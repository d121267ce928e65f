//! What became of the questions and orders of one request.

use std::fmt::Display;

use nsq_api::cluster::{Gathered, NoneAnswered};
use nsq_app::http::{Failure, StatusCode};

/// Who did not answer, or did not obey, while others did.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    /// One text for each step.
    steps: Vec<String>,
}

impl Warnings {
    /// The data of a question. Who did not answer is noted.
    ///
    /// # Errors
    ///
    /// When nobody answered.
    pub(crate) fn take<T>(&mut self, gathered: Gathered<T>) -> Result<T, NoneAnswered> {
        let (data, failures) = gathered.ensure_any()?;
        self.note(&failures);
        Ok(data)
    }

    /// The same for deleting: who does not know what is to go has obeyed. Tells whether anybody
    /// knew it.
    ///
    /// # Errors
    ///
    /// When nobody obeyed.
    pub(crate) fn take_deletion(&mut self, told: Gathered<()>) -> Result<bool, NoneAnswered> {
        match told.ensure_any() {
            Ok(((), mut failures)) => {
                failures.retain(|failure| !failure.is_not_found());
                self.note(&failures);
                Ok(true)
            }
            Err(none) if none.is_not_found() => Ok(false),
            Err(none) => Err(none),
        }
    }

    /// One step's failures.
    pub(crate) fn note(&mut self, failures: &[impl Display]) {
        if !failures.is_empty() {
            let lines: Vec<_> = failures.iter().map(ToString::to_string).collect();
            self.steps.push(lines.join("\n"));
        }
    }

    /// Whether everybody answered, and obeyed.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// For the field `message`.
    pub(crate) fn message(&self) -> String {
        match self.steps.is_empty() {
            true => String::new(),
            false => format!("WARNING: {}", self.steps.join("; ")),
        }
    }

    /// That something is not there; but if somebody did not answer, nobody can know: then `502`.
    pub(crate) fn not_found(&self, message: &'static str) -> Failure {
        match self.steps.is_empty() {
            true => Failure::not_found(message),
            false => failed(self.steps.join("; ")),
        }
    }
}

/// Nobody answered: `502`.
pub(crate) fn failed(none: impl Display) -> Failure {
    Failure::new(StatusCode::BAD_GATEWAY, format!("UPSTREAM_ERROR: {none}"))
}

/// The same, unless all said that they do not know it: then `404`.
pub(crate) fn failed_or_not_found(none: NoneAnswered, not_found: &'static str) -> Failure {
    if none.is_not_found() { Failure::not_found(not_found) } else { failed(none) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let mut warnings = Warnings::default();
        assert_eq!(warnings.message(), "");
        warnings.note(&[""; 0]);
        assert_eq!(warnings.not_found("X"), Failure::not_found("X"));
        warnings.note(&["a", "b"]);
        warnings.note(&["c"]);
        assert_eq!(warnings.message(), "WARNING: a\nb; c");
        let failure = Failure::new(StatusCode::BAD_GATEWAY, "UPSTREAM_ERROR: a\nb; c");
        assert_eq!(warnings.not_found("X"), failure);
    }
}
