//! How graphite is to draw something.

use nsq_api::cluster::query_value;

use super::keys::{Figure, Keys, Kind, Nodes, Series};

/// Something drawn by graphite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) series: Series<'a>,
    pub(crate) nodes: Nodes<'a>,
}

/// The two sizes of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// A line without anything around it.
    Small,
    /// With axes, a grid and a legend.
    Large,
}

impl Size {
    /// Width and height in pixels.
    pub(crate) const fn pixels(self) -> (u32, u32) {
        match self {
            Self::Small => (120, 20),
            Self::Large => (800, 450),
        }
    }
}

/// Of all sizes: transparent, from 0 on, up to the last minute that is whole.
const FORM: &str = "bgcolor=ff000000&yMin=0&lineMode=connected&drawNullAsZero=false&until=-1min";
const SMALL_FORM: &str = "hideGrid=true&hideLegend=true&hideAxes=true&fgcolor=black&margin=0";
const LARGE_FORM: &str = "fgcolor=999999";

impl Picture<'_> {
    /// The query for graphite's `/render`. `span` is how far back it reaches, as graphite writes
    /// it, `interval_s` how often nsqd sends.
    pub(crate) fn query(&self, keys: &Keys, size: Size, span: &str, interval_s: u64) -> String {
        let (width, height) = size.pixels();
        let form = match size {
            Size::Small => SMALL_FORM,
            Size::Large => LARGE_FORM,
        };
        let colors = query_value(self.colors());
        let mut query =
            format!("colorList={colors}&height={height}&width={width}&{form}&{FORM}&from=-{span}");
        for target in keys.targets(&self.series, self.nodes) {
            // Who looks closely at a counter wants to know how many there were in a second.
            let target = match (size, self.series.kind()) {
                (Size::Large, Kind::Counter) => {
                    format!("scale({target},{})", 1.0 / interval_s as f64)
                }
                _ => target,
            };
            let target = format!("summarize({target},\"{interval_s}sec\",\"avg\")");
            query.push_str("&target=");
            query.push_str(&query_value(&target));
        }
        query
    }

    fn colors(&self) -> &'static str {
        match self.series {
            Series::Topic(_, Figure::Depth)
            | Series::Channel(_, Figure::Depth | Figure::Deferred) => "red",
            Series::Memory(_) => "red,green,blue,purple",
            Series::AllMessages => "green",
            Series::Topic(..) | Series::Channel(..) | Series::Latency(..) => "blue",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::Memory;
    use super::*;
    use crate::options::Options;

    /// Go NSQ's query has the same pairs, but `target[]` for `target`, in another order.
    #[track_caller]
    fn check(series: Series<'_>, size: Size, interval_s: u64, expected: &str) {
        let keys = Keys::new(&Options::default());
        let nodes = match series {
            Series::Memory(_) => Nodes::One("h:1"),
            _ => Nodes::All,
        };
        let query = Picture { series, nodes }.query(&keys, size, "2h", interval_s);
        let query = query.replace("%28", "(").replace("%29", ")").replace("%2C", ",");
        let mut pairs: Vec<_> = query.split('&').collect();
        pairs.sort_unstable();
        let form = match size {
            Size::Small => {
                "fgcolor=black from=-2h height=20 hideAxes=true hideGrid=true hideLegend=true \
                 lineMode=connected margin=0"
            }
            Size::Large => "fgcolor=999999 from=-2h height=450 lineMode=connected",
        };
        let width = size.pixels().0;
        let (colors, targets) = expected.split_once(' ').expect("colors and targets");
        let targets = targets.replace('*', "%2A").replace('"', "%22");
        let expected = format!(
            "bgcolor=ff000000 colorList={colors} drawNullAsZero=false {form} {targets} \
             until=-1min width={width} yMin=0"
        );
        assert_eq!(pairs.join(" "), expected);
    }

    #[test]
    fn queries_as_in_go_nsq() {
        let (depth, messages) = (Figure::Depth, Figure::Messages);
        let expected =
            r#"red target=summarize(sumSeries(stats.gauges.nsq.*.topic.t.depth),"60sec","avg")"#;
        check(Series::Topic("t", depth), Size::Small, 60, expected);
        check(Series::Topic("t", depth), Size::Large, 60, expected);
        let counter = "sumSeries(stats.counters.nsq.*.topic.t.message_count.count)";
        let expected = format!(r#"blue target=summarize({counter},"60sec","avg")"#);
        check(Series::Topic("t", messages), Size::Small, 60, &expected);
        for (interval_s, part) in
            [(60, "0.016666666666666666"), (7, "0.14285714285714285"), (1, "1")]
        {
            let expected = format!(
                r#"blue target=summarize(scale({counter},{part}),"{interval_s}sec","avg")"#
            );
            check(Series::Topic("t", messages), Size::Large, interval_s, &expected);
        }
    }

    #[test]
    fn colors_as_in_go_nsq() {
        let channel = |figure| Series::Channel(("t", "c"), figure);
        let color = |series, expected| {
            assert_eq!(Picture { series, nodes: Nodes::All }.colors(), expected, "{series:?}");
        };
        color(channel(Figure::Depth), "red");
        color(channel(Figure::Deferred), "red");
        for figure in [Figure::InFlight, Figure::Requeued, Figure::TimedOut, Figure::Messages] {
            color(channel(figure), "blue");
        }
        color(Series::Latency("t", None, &[0.5]), "blue");
        color(Series::AllMessages, "green");
        let expected = "red,green,blue,purple \
            target=summarize(stats.gauges.nsq.h_1.mem.*_bytes,\"60sec\",\"avg\")";
        check(Series::Memory(Memory::Bytes), Size::Large, 60, expected);
    }

    #[test]
    fn one_line_for_each_quantile() {
        let line = |percent| {
            let key = format!("stats.gauges.nsq.*.topic.t.e2e_processing_latency_{percent}");
            format!(r#"target=summarize(scale(averageSeries({key}),0.000001),"60sec","avg")"#)
        };
        let expected = format!("blue {} {}", line("50"), line("99"));
        check(Series::Latency("t", None, &[0.99, 0.5]), Size::Large, 60, &expected);
    }
}
