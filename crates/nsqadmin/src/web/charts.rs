//! Charts of the history: a drawing in the page, which the script replaces by one that can be
//! explored.

use maud::{Markup, html};

use super::figures;
use super::visit::{Visit, escaped};
use crate::chart::{Chart, Subject};

/// Of a drawing, in its own units; CSS decides how large it is shown.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 60.0;
/// No more points are drawn than can be told apart.
const POINTS_MAX: usize = 300;

/// What a chart shows.
#[derive(Clone, Copy)]
struct Figure {
    /// Its name in `/api/history`.
    key: &'static str,
    title: &'static str,
    /// How one value is written.
    said: fn(f64) -> String,
    values: Values,
}

type Values = fn(&Chart) -> &[Option<f32>];

impl Figure {
    /// Something per second.
    fn rate(key: &'static str, title: &'static str, values: Values) -> Self {
        Self { key, title, said: figures::rate, values }
    }

    /// A number of messages.
    fn count(key: &'static str, title: &'static str, values: Values) -> Self {
        // A float saturates when it becomes an integer.
        Self { key, title, said: |value| figures::count(value.round() as i64), values }
    }
}

/// The charts of a subject; a sentence if there is none yet, nothing without history.
pub(super) fn charts(visit: &Visit, chart: Option<&Chart>, subject: &Subject) -> Markup {
    let t = visit.language;
    let Some(chart) = chart else { return html! {} };
    let figures = [
        Figure::rate("rate", t.messages_per_second(), |chart| &chart.rate),
        Figure::count("depth", t.depth(), |chart| &chart.depth),
        Figure::count("in_flight", t.in_flight(), |chart| &chart.in_flight),
        Figure::rate("requeues", t.requeues_per_second(), |chart| &chart.requeues),
        Figure::rate("timeouts", t.timeouts_per_second(), |chart| &chart.timeouts),
    ];
    let source = visit.link(&format!("/api/history{}", query(subject)));
    html! {
        section.charts aria-label=(t.history()) data-charts=(source) {
            @for figure in figures { (drawn(visit, chart, figure)) }
        }
    }
}

fn drawn(visit: &Visit, chart: &Chart, figure: Figure) -> Markup {
    let t = visit.language;
    let values = (figure.values)(chart);
    let newest = values.last().copied().flatten().map(f64::from);
    let highest = highest(values);
    let said = newest.map_or_else(|| t.unknown().to_owned(), figure.said);
    let label = t.chart_label(figure.title, &said, &(figure.said)(highest));
    html! {
        figure.chart {
            figcaption { (figure.title) " " b { (said) } }
            div.plot id={ "plot-" (figure.key) } data-plot=(figure.key) data-keep {
                (line(values, highest, &label))
            }
        }
    }
}

/// A line through the values, interrupted where nothing is known.
fn line(values: &[Option<f32>], highest: f64, label: &str) -> Markup {
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    html! {
        svg role="img" aria-label=(label) viewBox=(view) preserveAspectRatio="none" {
            @for points in runs(values, highest) { polyline points=(points) {} }
        }
    }
}

/// The parts of the line that are known, as lists of points.
fn runs(values: &[Option<f32>], highest: f64) -> Vec<String> {
    let step = values.len().div_ceil(POINTS_MAX).max(1);
    let across = WIDTH / values.len().saturating_sub(1).max(1) as f64;
    let scale = if highest > 0.0 { (HEIGHT - 2.0) / highest } else { 0.0 };
    let mut runs = vec![String::new()];
    for (place, value) in values.iter().enumerate().step_by(step) {
        match (value, runs.last_mut()) {
            (Some(value), Some(run)) => {
                let (x, y) = (place as f64 * across, HEIGHT - 1.0 - f64::from(*value) * scale);
                run.push_str(&format!("{x:.1},{y:.1} "));
            }
            _ => runs.push(String::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn highest(values: &[Option<f32>]) -> f64 {
    f64::from(values.iter().flatten().copied().fold(0.0, f32::max))
}

fn query(subject: &Subject) -> String {
    match subject {
        Subject::Cluster => String::new(),
        Subject::Topic(topic) => format!("?topic={}", escaped(topic)),
        Subject::Channel(topic, channel) => {
            format!("?topic={}&channel={}", escaped(topic), escaped(channel))
        }
        Subject::Node(node) => format!("?node={}", escaped(node)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_interrupted_where_nothing_is_known() {
        let values = [Some(0.0), Some(10.0), None, Some(5.0)];
        assert_eq!(highest(&values), 10.0);
        assert_eq!(runs(&values, 10.0), ["0.0,59.0 100.0,1.0 ", "300.0,30.0 "]);
        assert!(runs(&[], 0.0).is_empty());
        assert_eq!(runs(&[Some(0.0)], 0.0), ["0.0,59.0 "]);
    }

    #[test]
    fn a_long_history_is_drawn_with_few_points() {
        let values = vec![Some(1.0); 10_000];
        let points = runs(&values, 1.0).concat();
        assert!(points.split(' ').count() <= POINTS_MAX + 1);
    }
}
