//! How far back graphs reach.

/// One of the choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeframe {
    /// Graphs are shown of the last hours; see [`CHOICES`].
    Last(&'static str),
    Off,
}

/// What can be chosen besides `off`, in graphite's terms.
const SPANS: [&str; 6] = ["1h", "2h", "12h", "24h", "48h", "168h"];
const OFF: &str = "off";

/// All that can be chosen.
pub(crate) const CHOICES: [Timeframe; 7] = {
    let mut choices = [Timeframe::Off; 7];
    let mut place = 0;
    while place < SPANS.len() {
        choices[place] = Timeframe::Last(SPANS[place]);
        place += 1;
    }
    choices
};

impl Timeframe {
    /// None if it is no choice.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        CHOICES.into_iter().find(|choice| choice.name() == text)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Last(span) => span,
            Self::Off => OFF,
        }
    }
}

impl Default for Timeframe {
    fn default() -> Self {
        Self::Last("2h")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices() {
        let names = CHOICES.map(Timeframe::name);
        assert_eq!(names, ["1h", "2h", "12h", "24h", "48h", "168h", "off"]);
        for choice in CHOICES {
            assert_eq!(Timeframe::parse(choice.name()), Some(choice));
        }
        for text in ["", "3h", "2h ", "OFF", "2h&target=x"] {
            assert_eq!(Timeframe::parse(text), None, "{text}");
        }
        assert!(CHOICES.contains(&Timeframe::default()));
    }
}
