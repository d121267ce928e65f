//! One line of the table.

/// A figure of a report.
#[derive(Debug)]
pub(crate) struct Figure {
    /// Its name in the report.
    pub(super) key: &'static str,
    /// What it is, for people.
    pub(super) label: &'static str,
    /// Decimals worth printing.
    pub(super) decimals: usize,
}

/// The first line.
pub(super) fn heading(compares: bool) -> String {
    let (scenario, figure, this) = ("scenario", "figure", "this nsqd");
    let first = format!("{scenario:<34} {figure:<22} {this:>14}");
    if compares { format!("{first} {:>14} {:>8}", "other", "ratio") } else { first }
}

impl Figure {
    /// The line with the values of this nsqd and, if there is one, the other.
    pub(super) fn row(&self, scenario: &str, values: &[Option<f64>]) -> String {
        let Self { label, decimals, .. } = self;
        let mut row = format!("{scenario:<34} {label:<22}");
        for value in values {
            let text = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"));
            row += &format!(" {text:>14}");
        }
        if let [Some(this), Some(other)] = values {
            row += &format!(" {:>8.2}", this / other);
        }
        row
    }
}

/// The middle one; the mean of the middle two.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some((values.get(low)? + values.get(high)?) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn rows_have_a_ratio_when_both_sides_have_a_value() {
        let figure = Figure { key: "rate", label: "messages/s", decimals: 0 };
        assert!(figure.row("drain", &[Some(100.0), Some(50.0)]).ends_with("    2.00"));
        assert!(figure.row("drain", &[Some(100.0), None]).ends_with(" -"));
        assert!(figure.row("drain", &[Some(100.0)]).ends_with(" 100"));
    }
}
