//! The lines of nsq_stat.

use std::fmt;

use nsq_api::cluster::{ChannelRates, ChannelTotals};

/// After how many polls the header is repeated.
pub(super) const HEADER_EVERY: u64 = 25;

/// Scripts count its columns.
pub(super) const HEADER: &str = "\
------rate------+----------------depth----------------+--------------metadata---------------
ingress  egress |   total     mem    disk inflt   def |     req     t-o         msgs clients
";

/// What is known of the channel now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) totals: ChannelTotals,
    pub(super) rates: ChannelRates,
}

impl fmt::Display for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { totals, rates } = self;
        // Rates are cut off, not rounded.
        writeln!(
            out,
            "{:>7} {:>7} | {:>7} {:>7} {:>7} {:>5} {:>5} | {:>7} {:>7} {:>12} {:>7}",
            rates.ingress as i64,
            rates.egress as i64,
            totals.depth,
            totals.memory_depth(),
            totals.backend_depth,
            totals.in_flight_count,
            totals.deferred_count,
            totals.requeue_count,
            totals.timeout_count,
            totals.message_count,
            totals.client_count,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_heads() {
        let totals = ChannelTotals {
            depth: 50,
            backend_depth: 20,
            in_flight_count: 4,
            deferred_count: 5,
            requeue_count: 6,
            timeout_count: 7,
            message_count: 351,
            client_count: 8,
            ..ChannelTotals::default()
        };
        let rates = ChannelRates { ingress: 100.9, egress: -1.9, ..ChannelRates::default() };
        let expected = concat!(
            "    100      -1 |      50      30      20     4     5 |",
            "       6       7          351       8\n"
        );
        assert_eq!(Line { totals, rates }.to_string(), expected);
        let widths: Vec<_> = HEADER.lines().map(str::len).collect();
        assert_eq!(widths, [expected.len() - 1, expected.len() - 1]);
    }
}
