//! What is measured: the loads that NSQ's users have.

use super::figure::Figure;

/// A load and what is of interest about it.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(super) name: &'static str,
    /// Arguments of `nsq bench`; `{seconds}` stands for the duration.
    command: &'static str,
    pub(super) figures: &'static [Figure],
}

impl Scenario {
    pub(super) fn arguments(&self, seconds: u32) -> Vec<String> {
        let seconds = format!("{seconds}s");
        let words = self.command.split(' ');
        words.map(|word| word.replace("{seconds}", &seconds)).collect()
    }
}

const fn figure(key: &'static str, label: &'static str, decimals: usize) -> Figure {
    Figure { key, label, decimals }
}

const CPU: Figure = figure("server_cpu_us_per_message", "CPU us/message", 3);
const DELIVERIES: Figure = figure("deliveries_per_s", "messages/s", 0);

const LATENCIES: &[Figure] = &[figure("p50_ms", "p50 ms", 3), figure("p99_ms", "p99 ms", 3)];

/// All of them. The bound on the backlog keeps a Go nsqd within its memory queues.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "MPUB x 200, 2+2 connections",
        command: "e2e --batch 200 --depth 4 --publishers 2 --consumers 2 --max-backlog 8000 \
                  --duration {seconds}",
        figures: &[DELIVERIES, CPU],
    },
    Scenario {
        name: "4 channels, 1 kB, MPUB x 100",
        command: "e2e --size 1000 --batch 100 --depth 4 --publishers 2 --channels 4 \
                  --consumers 1 --max-backlog 8000 --duration {seconds}",
        figures: &[DELIVERIES, CPU],
    },
    Scenario {
        name: "PUB, 100 in the pipe, 2+2",
        command: "e2e --depth 100 --publishers 2 --consumers 2 --max-backlog 8000 \
                  --duration {seconds}",
        figures: &[DELIVERIES, CPU],
    },
    Scenario {
        name: "PUB one at a time, 16+4",
        command: "e2e --publishers 16 --consumers 4 --duration {seconds}",
        figures: &[DELIVERIES, CPU],
    },
    Scenario {
        name: "drain 1 M messages",
        command: "drain --messages 1M --batch 200 --depth 4 --publishers 2 --consumers 2",
        figures: &[figure("drained_per_s", "messages/s", 0)],
    },
    Scenario {
        name: "latency at 100/s",
        command: "latency --rate 100 --duration {seconds}",
        figures: LATENCIES,
    },
    Scenario {
        name: "latency at 5000/s",
        command: "latency --rate 5000 --duration {seconds}",
        figures: LATENCIES,
    },
    Scenario {
        name: "1000 idle connections",
        command: "connections --count 1000 --hold {seconds}",
        figures: &[figure("bytes_per_connection", "bytes each", 0)],
    },
    Scenario {
        name: "2000 topics with a channel",
        command: "connections --topics 2000 --hold {seconds}",
        figures: &[figure("bytes_per_topic_and_channel", "bytes each", 0)],
    },
];

#[cfg(test)]
mod tests {
    use super::SCENARIOS;

    #[test]
    fn the_duration_is_filled_in() {
        let arguments = SCENARIOS[0].arguments(7);
        assert_eq!(arguments[0], "e2e");
        assert_eq!(arguments.last().map(String::as_str), Some("7s"));
        assert!(arguments.iter().all(|argument| !argument.is_empty()));
    }
}
