//! The columns of the table: what they are called, what they show, and how they sort.

use super::look::{Consumed, Row};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Name,
    Depth,
    InFlight,
    Deferred,
    Ingress,
    Egress,
    Clients,
    Requeues,
    Timeouts,
}

impl Column {
    /// From left to right.
    pub(super) const ALL: [Self; 9] = [
        Self::Name,
        Self::Depth,
        Self::InFlight,
        Self::Deferred,
        Self::Ingress,
        Self::Egress,
        Self::Clients,
        Self::Requeues,
        Self::Timeouts,
    ];

    /// What stands above it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Name => "TOPIC / CHANNEL",
            Self::Depth => "DEPTH",
            Self::InFlight => "IN FLIGHT",
            Self::Deferred => "DEFERRED",
            Self::Ingress => "IN/S",
            Self::Egress => "OUT/S",
            Self::Clients => "CLIENTS",
            Self::Requeues => "REQUEUED",
            Self::Timeouts => "TIMED OUT",
        }
    }

    /// The key that sorts by it.
    pub(super) fn key(self) -> char {
        match self {
            Self::Name => 'n',
            Self::Depth => 'd',
            Self::InFlight => 'f',
            Self::Deferred => 'e',
            Self::Ingress => 'i',
            Self::Egress => 'o',
            Self::Clients => 'c',
            Self::Requeues => 'r',
            Self::Timeouts => 't',
        }
    }

    pub(super) fn by_key(key: char) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.key() == key)
    }

    /// What a row shows in it; empty where a topic has none.
    pub(super) fn text(self, row: &Row) -> String {
        let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), format_rate);
        let of =
            |number: fn(&Consumed) -> String| row.consumed.as_ref().map(number).unwrap_or_default();
        match self {
            Self::Name if row.is_paused => format!("{} (paused)", row.name),
            Self::Name => row.name.clone(),
            Self::Depth => row.depth.to_string(),
            Self::Ingress => rate(row.ingress),
            Self::Egress => rate(row.egress),
            Self::InFlight => of(|consumed| consumed.in_flight.to_string()),
            Self::Deferred => of(|consumed| consumed.deferred.to_string()),
            Self::Clients => of(|consumed| consumed.clients.to_string()),
            Self::Requeues => of(|consumed| consumed.requeues.to_string()),
            Self::Timeouts => of(|consumed| consumed.timeouts.to_string()),
        }
    }

    /// By what a row sorts in it; names sort by themselves.
    pub(super) fn weight(self, row: &Row) -> f64 {
        let consumed = row.consumed.unwrap_or_default();
        match self {
            Self::Name => 0.0,
            Self::Depth => row.depth as f64,
            Self::Ingress => row.ingress.unwrap_or_default(),
            Self::Egress => row.egress.unwrap_or_default(),
            Self::InFlight => consumed.in_flight as f64,
            Self::Deferred => consumed.deferred as f64,
            Self::Clients => consumed.clients as f64,
            Self::Requeues => consumed.requeues as f64,
            Self::Timeouts => consumed.timeouts as f64,
        }
    }
}

fn format_rate(rate: f64) -> String {
    // Small rates need a digit more, and nobody wants to see "-0".
    let text = if rate.abs() < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
    if text == "-0.0" { "0.0".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (rate, expected) in
            [(0.0, "0.0"), (-0.01, "0.0"), (0.25, "0.2"), (9.96, "10.0"), (12_345.6, "12346")]
        {
            assert_eq!(format_rate(rate), expected);
        }
    }

    #[test]
    fn keys_differ() {
        for column in Column::ALL {
            assert_eq!(Column::by_key(column.key()), Some(column));
        }
        assert_eq!(Column::by_key('q'), None);
    }
}
