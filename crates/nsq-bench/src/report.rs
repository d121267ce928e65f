//! `Report`: the figures of one run, and their two renderings.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// One figure of a report.
#[derive(Clone, Debug, PartialEq)]
enum Figure {
    Count(u64),
    Real(f64),
    Text(String),
}

/// What a benchmark run found. Names carry their unit: `publishes_per_s`, `server_rss_bytes`.
#[derive(Clone, Debug)]
pub struct Report {
    scenario: &'static str,
    settings: Value,
    figures: Vec<(&'static str, Figure)>,
    problems: Vec<String>,
}

impl Report {
    /// An empty report on a scenario that ran with these settings.
    pub(crate) fn new(scenario: &'static str, settings: &impl Serialize) -> Self {
        let settings = serde_json::to_value(settings).unwrap_or(Value::Null);
        Self { scenario, settings, figures: Vec::new(), problems: Vec::new() }
    }

    /// Adds a whole number.
    pub(crate) fn count(&mut self, name: &'static str, value: u64) {
        self.figures.push((name, Figure::Count(value)));
    }

    /// Adds a measured number.
    pub(crate) fn real(&mut self, name: &'static str, value: f64) {
        self.figures.push((name, Figure::Real(value)));
    }

    /// Adds a word, such as the topic that was used.
    pub(crate) fn text(&mut self, name: &'static str, value: &str) {
        self.figures.push((name, Figure::Text(value.to_owned())));
    }

    /// Notes that something was not as it must be; the run counts as failed.
    pub(crate) fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    /// The figure with this name, if the scenario has it.
    pub fn figure(&self, name: &str) -> Option<f64> {
        let (_, figure) = self.figures.iter().find(|(known, _)| *known == name)?;
        match figure {
            Figure::Count(value) => Some(*value as f64),
            Figure::Real(value) => Some(*value),
            Figure::Text(_) => None,
        }
    }

    /// What was not as it must be: lost messages, refused FINs. Empty after a good run.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The report as one JSON object on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings always serialize")
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(4))?;
        object.serialize_entry("scenario", self.scenario)?;
        object.serialize_entry("settings", &self.settings)?;
        object.serialize_entry("results", &Figures(&self.figures))?;
        object.serialize_entry("problems", &self.problems)?;
        object.end()
    }
}

/// The figures in the order in which they were added.
struct Figures<'a>(&'a [(&'static str, Figure)]);

impl Serialize for Figures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (name, figure) in self.0 {
            match figure {
                Figure::Count(value) => object.serialize_entry(name, value)?,
                Figure::Real(value) => object.serialize_entry(name, &round(*value))?,
                Figure::Text(value) => object.serialize_entry(name, value)?,
            }
        }
        object.end()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.scenario)?;
        for (name, figure) in &self.figures {
            let value = match figure {
                Figure::Count(value) => grouped(*value),
                Figure::Real(value) if value.abs() >= 1000.0 => grouped(value.round() as u64),
                Figure::Real(value) => format!("{value:.3}"),
                Figure::Text(value) => value.clone(),
            };
            writeln!(out, "  {name:<36} {value:>18}")?;
        }
        for problem in &self.problems {
            writeln!(out, "  PROBLEM: {problem}")?;
        }
        Ok(())
    }
}

/// Digits in groups of three: `1,234,567`.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Six decimals are more than any of these measurements is worth.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_renderings_show_the_same_figures_in_order() {
        let mut report = Report::new("pub", &serde_json::json!({"size": 200}));
        report.count("published", 1_234_567);
        report.real("elapsed_s", 1.5);
        report.text("topic", "t");
        report.problem("2 messages are missing".to_owned());
        let expected = "{\"scenario\":\"pub\",\"settings\":{\"size\":200},\"results\":\
             {\"published\":1234567,\"elapsed_s\":1.5,\"topic\":\"t\"},\
             \"problems\":[\"2 messages are missing\"]}";
        assert_eq!(report.to_json(), expected);
        let table = report.to_string();
        assert!(table.contains("1,234,567") && table.contains("1.500"), "{table}");
        assert!(table.contains("PROBLEM: 2 messages are missing"), "{table}");
        assert_eq!(report.figure("published"), Some(1_234_567.0));
        assert_eq!(report.figure("topic"), None);
    }

    #[test]
    fn digits_are_grouped_by_three() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")];
        for (value, expected) in cases {
            assert_eq!(grouped(value), expected);
        }
    }
}
