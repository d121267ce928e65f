//! Columns of percentiles: the time from publish to FIN.

use maud::{Markup, html};

use super::figures;
use super::visit::Visit;
use crate::view::{LatencyView, PercentileView};

/// The percentiles that a table shows: those of its total.
pub(super) struct Quantiles(Vec<f64>);

impl Quantiles {
    pub(super) fn of(total: Option<&LatencyView>) -> Self {
        Self(percentiles(total).map(|percentile| percentile.quantile).collect())
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn values(&self) -> &[f64] {
        &self.0
    }

    pub(super) fn heads(&self, visit: &Visit) -> Markup {
        let t = visit.language;
        html! {
            @for quantile in &self.0 {
                th.figure scope="col" title=(t.latency_explained()) { (name(*quantile)) }
            }
        }
    }

    /// The averages, with the extremes of all nodes behind them.
    pub(super) fn cells(&self, latency: Option<&LatencyView>) -> Markup {
        // Who has counted nothing has no times.
        let latency = latency.filter(|latency| latency.count > 0);
        let of = |quantile| percentiles(latency).find(|found| found.quantile == quantile);
        html! { @for quantile in &self.0 { td.figure { (cell(of(*quantile))) } } }
    }
}

fn cell(percentile: Option<&PercentileView>) -> Markup {
    let Some(percentile) = percentile else { return html! { "–" } };
    let [average, min, max] =
        [percentile.average, percentile.min, percentile.max].map(figures::duration);
    html! { span title={ (min) " – " (max) } { (average) } }
}

fn percentiles(latency: Option<&LatencyView>) -> impl Iterator<Item = &PercentileView> {
    latency.into_iter().flat_map(|latency| latency.percentiles.iter().flatten())
}

/// `99th`
fn name(quantile: f64) -> String {
    let percent = (quantile * 100.0 + 1e-9).floor();
    format!("{percent}{}", ending(percent as i64))
}

fn ending(number: i64) -> &'static str {
    match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn names() {
        for (quantile, expected) in [
            (0.99, "99th"),
            (0.5, "50th"),
            (0.01, "1st"),
            (0.11, "11th"),
            (0.92, "92nd"),
            (1.0, "100th"),
        ] {
            assert_eq!(name(quantile), expected);
        }
    }
}
