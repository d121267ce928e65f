//! Options by name, from text: what `--consumer-opt` and `--producer-opt` of the tools take.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use nsq_net::TlsVersion;
use thiserror::Error;

use super::{BackoffStrategy, Config};
use crate::duration::parse_ns;

const NS: i64 = 1;
const MS: i64 = 1_000_000 * NS;
const SECOND: i64 = 1000 * MS;
const MINUTE: i64 = 60 * SECOND;
/// A deadline that is further away could not be added to what a clock shows.
const LONGEST: i64 = 24 * 60 * MINUTE;

/// Why an option cannot have a value, in go-nsq's words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidOption {
    /// There is no such option.
    #[error("invalid option {0}")]
    Unknown(String),
    /// The text is no value of the option's type.
    #[error("failed to coerce option {name} ({text}) - {reason}")]
    Coercion {
        /// The option, as it was given.
        name: String,
        /// The value, as it was given.
        text: String,
        /// What it has to be.
        reason: String,
    },
    /// The value is out of the option's range.
    #[error("invalid {name} ! {value} {side} {bound}")]
    OutOfRange {
        /// The option.
        name: &'static str,
        /// The value.
        value: String,
        /// `<` or `>`.
        side: char,
        /// The end of the range.
        bound: String,
    },
    /// Two options that do not go together, or files that cannot be used.
    #[error("{0}")]
    Conflict(String),
}

impl Config {
    /// Sets an option by its name, in which `-` counts as `_`. Durations are Go's (`1m30s`) or
    /// whole milliseconds, `-1` for none where there can be none; booleans are Go's.
    ///
    /// # Errors
    ///
    /// See [`InvalidOption`].
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), InvalidOption> {
        let canonical = name.replace('-', "_");
        let option = Setting { name, text };
        match canonical.as_str() {
            "dial_timeout" => self.dial_timeout = option.duration()?,
            "handshake_timeout" => self.handshake_timeout = option.duration()?,
            "read_timeout" => self.read_timeout = option.duration()?,
            "write_timeout" => self.write_timeout = option.duration()?,
            "local_addr" => self.local_addr = Some(option.parsed("an address and a port")?),
            "lookupd_poll_interval" => self.lookupd_poll_interval = option.duration()?,
            "lookupd_poll_jitter" => self.lookupd_poll_jitter = option.parsed("a number")?,
            "lookupd_poll_timeout" => self.lookupd_poll_timeout = option.duration()?,
            "lookupd_long_polling" => self.lookupd_long_polling = option.boolean()?,
            "max_requeue_delay" => self.max_requeue_delay = option.duration()?,
            "default_requeue_delay" => self.default_requeue_delay = option.duration()?,
            "backoff_strategy" => self.backoff_strategy = option.strategy()?,
            "max_backoff_duration" => self.max_backoff_duration = option.duration()?,
            "backoff_multiplier" => self.backoff_multiplier = option.duration()?,
            "max_attempts" => self.max_attempts = option.integer(0..=65535)?,
            "low_rdy_idle_timeout" => self.low_rdy_idle_timeout = option.duration()?,
            "low_rdy_timeout" => self.low_rdy_timeout = option.duration()?,
            "rdy_redistribute_interval" => self.rdy_redistribute_interval = option.duration()?,
            "client_id" => self.client_id = text.to_owned(),
            "hostname" => self.hostname = text.to_owned(),
            "user_agent" => self.user_agent = text.to_owned(),
            "heartbeat_interval" => self.heartbeat_interval = option.duration_or_none()?,
            "sample_rate" => self.sample_rate = option.integer(0..=99)?,
            "tls_v1" => self.tls_v1 = option.boolean()?,
            "tls_root_ca_file" => self.tls.authority = Some(PathBuf::from(text)),
            "tls_cert" => self.own_tls_files().0 = PathBuf::from(text),
            "tls_key" => self.own_tls_files().1 = PathBuf::from(text),
            "tls_insecure_skip_verify" => self.tls.skip_verification = option.boolean()?,
            "tls_min_version" => self.tls.min_version = option.tls_version()?,
            "deflate" => self.deflate = option.boolean()?,
            "deflate_level" => self.deflate_level = option.integer(1..=9)?,
            "snappy" => self.snappy = option.boolean()?,
            "output_buffer_size" => {
                self.output_buffer_size = option.integer(i64::MIN..=i64::MAX)?
            }
            "output_buffer_timeout" => self.output_buffer_timeout = option.duration_or_none()?,
            "max_in_flight" => self.max_in_flight = option.integer(0..=i64::from(u32::MAX))?,
            "msg_timeout" => self.msg_timeout = option.duration()?,
            "auto_touch" => self.auto_touch = option.boolean()?,
            "auth_secret" => self.auth_secret = text.to_owned(),
            "lookupd_authorization" | "skip_lookupd_authorization" => {
                self.lookupd_authorization = option.boolean()?;
            }
            "publish_timeout" => self.publish_timeout = option.duration()?,
            "stop_timeout" => self.stop_timeout = option.duration()?,
            "publish_retry" => self.publish_retry = option.boolean()?,
            "max_outstanding" => self.max_outstanding = option.integer(1..=1_000_000)?,
            "reconnect" => self.reconnect = option.boolean()?,
            "max_connections" => self.max_connections = option.integer(1..=10_000)?,
            _ => return Err(InvalidOption::Unknown(name.to_owned())),
        }
        self.check_ranges()
    }

    fn own_tls_files(&mut self) -> &mut (PathBuf, PathBuf) {
        self.tls.own.get_or_insert_default()
    }

    /// Checks what fields alone cannot express.
    ///
    /// # Errors
    ///
    /// With the first option that is out of range, or in conflict with another.
    pub fn check(&self) -> Result<(), InvalidOption> {
        self.check_ranges()?;
        if let Some(interval) = self.heartbeat_interval.filter(|&it| it > self.read_timeout) {
            let (interval, timeout) = (go_text(interval), go_text(self.read_timeout));
            return Err(InvalidOption::Conflict(format!(
                "HeartbeatInterval {interval} must be less than ReadTimeout {timeout}"
            )));
        }
        if self.snappy && self.deflate {
            let text = "snappy and deflate cannot both be used";
            return Err(InvalidOption::Conflict(text.to_owned()));
        }
        if let Some((certificate, key)) = &self.tls.own
            && (certificate.as_os_str().is_empty() || key.as_os_str().is_empty())
        {
            let text = "tls_cert and tls_key must both be given";
            return Err(InvalidOption::Conflict(text.to_owned()));
        }
        Ok(())
    }

    fn check_ranges(&self) -> Result<(), InvalidOption> {
        let hour = 60 * MINUTE;
        for (name, value, range) in [
            ("read_timeout", self.read_timeout, 100 * MS..=5 * MINUTE),
            ("write_timeout", self.write_timeout, 100 * MS..=5 * MINUTE),
            ("lookupd_poll_interval", self.lookupd_poll_interval, 10 * MS..=5 * MINUTE),
            ("max_requeue_delay", self.max_requeue_delay, 0..=hour),
            ("default_requeue_delay", self.default_requeue_delay, 0..=hour),
            ("max_backoff_duration", self.max_backoff_duration, 0..=hour),
            ("backoff_multiplier", self.backoff_multiplier, 0..=hour),
            ("low_rdy_idle_timeout", self.low_rdy_idle_timeout, SECOND..=5 * MINUTE),
            ("low_rdy_timeout", self.low_rdy_timeout, SECOND..=5 * MINUTE),
            ("rdy_redistribute_interval", self.rdy_redistribute_interval, MS..=5 * SECOND),
            ("dial_timeout", self.dial_timeout, MS..=LONGEST),
            ("handshake_timeout", self.handshake_timeout, MS..=LONGEST),
            ("lookupd_poll_timeout", self.lookupd_poll_timeout, MS..=LONGEST),
            ("publish_timeout", self.publish_timeout, MS..=LONGEST),
            ("stop_timeout", self.stop_timeout, 0..=LONGEST),
        ] {
            within(name, i64::try_from(value.as_nanos()).unwrap_or(i64::MAX), &range, |ns| {
                go_text(Duration::from_nanos(ns.unsigned_abs()))
            })?;
        }
        for (name, value, range) in [
            ("sample_rate", i64::from(self.sample_rate), 0..=99),
            ("deflate_level", i64::from(self.deflate_level), 1..=9),
            ("max_outstanding", i64::from(self.max_outstanding), 1..=1_000_000),
            ("max_connections", i64::from(self.max_connections), 1..=10_000),
        ] {
            within(name, value, &range, |value| value.to_string())?;
        }
        let jitter = self.lookupd_poll_jitter;
        if (0.0..=1.0).contains(&jitter) {
            return Ok(());
        }
        let (side, bound) = if jitter < 0.0 { ('<', "0") } else { ('>', "1") };
        let (value, bound) = (jitter.to_string(), bound.to_owned());
        Err(InvalidOption::OutOfRange { name: "lookupd_poll_jitter", value, side, bound })
    }
}

fn within(
    name: &'static str,
    value: i64,
    range: &RangeInclusive<i64>,
    show: impl Fn(i64) -> String,
) -> Result<(), InvalidOption> {
    let (side, bound) = match value {
        value if value < *range.start() => ('<', *range.start()),
        value if value > *range.end() => ('>', *range.end()),
        _ => return Ok(()),
    };
    Err(InvalidOption::OutOfRange { name, value: show(value), side, bound: show(bound) })
}

/// A duration as Go shows it: `1m0s`, `250ms`.
fn go_text(duration: Duration) -> String {
    let ns = duration.as_nanos();
    if ns == 0 {
        return "0s".to_owned();
    }
    if ns < 1_000_000_000 {
        let (unit, size) = match ns {
            ns if ns < 1_000 => ("ns", 1.0),
            ns if ns < 1_000_000 => ("µs", 1e3),
            _ => ("ms", 1e6),
        };
        return format!("{}{unit}", ns as f64 / size);
    }
    let (hours, minutes) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60);
    let seconds = (ns % 60_000_000_000) as f64 / 1e9;
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// One option that is to be set.
struct Setting<'a> {
    name: &'a str,
    text: &'a str,
}

impl Setting<'_> {
    fn failed(&self, reason: &str) -> InvalidOption {
        let (name, text) = (self.name.to_owned(), self.text.to_owned());
        InvalidOption::Coercion { name, text, reason: reason.to_owned() }
    }

    fn parsed<T: std::str::FromStr>(&self, wanted: &str) -> Result<T, InvalidOption> {
        self.text.parse().map_err(|_| self.failed(&format!("must be {wanted}")))
    }

    fn duration(&self) -> Result<Duration, InvalidOption> {
        let ns = parse_ns(self.text).ok_or_else(|| self.failed("must be a duration"))?;
        let ns = u64::try_from(ns).map_err(|_| self.failed("must not be negative"))?;
        Ok(Duration::from_nanos(ns))
    }

    /// -1, in whichever unit, for none.
    fn duration_or_none(&self) -> Result<Option<Duration>, InvalidOption> {
        let ns = parse_ns(self.text).ok_or_else(|| self.failed("must be a duration"))?;
        Ok(u64::try_from(ns).ok().map(Duration::from_nanos))
    }

    fn boolean(&self) -> Result<bool, InvalidOption> {
        match self.text {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            _ => Err(self.failed("must be true or false")),
        }
    }

    fn integer<T: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> Result<T, InvalidOption> {
        let value: i64 = self.parsed("an integer")?;
        if !range.contains(&value) {
            let (low, high) = (range.start(), range.end());
            return Err(self.failed(&format!("must be from {low} to {high}")));
        }
        T::try_from(value).map_err(|_| self.failed("is out of range"))
    }

    fn strategy(&self) -> Result<BackoffStrategy, InvalidOption> {
        match self.text {
            "" | "exponential" => Ok(BackoffStrategy::Exponential),
            "full_jitter" => Ok(BackoffStrategy::FullJitter),
            _ => Err(self.failed("must be exponential or full_jitter")),
        }
    }

    /// Versions below 1.2 are taken and mean 1.2, as everywhere here.
    fn tls_version(&self) -> Result<TlsVersion, InvalidOption> {
        match self.text {
            "ssl3.0" | "tls1.0" | "tls1.1" | "tls1.2" => Ok(TlsVersion::Tls12),
            "tls1.3" => Ok(TlsVersion::Tls13),
            text => Err(InvalidOption::Conflict(format!("ERROR: {text} is not a tls version"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, text: &str) -> Result<Config, String> {
        let mut config = Config::default();
        config.set(name, text).map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn values_reach_their_option() {
        assert_eq!(set("max_in_flight", "200").map(|it| it.max_in_flight), Ok(200));
        assert_eq!(set("max-in-flight", "0").map(|it| it.max_in_flight), Ok(0));
        let minute = Duration::from_secs(60);
        assert_eq!(set("msg_timeout", "60000").map(|it| it.msg_timeout), Ok(minute));
        assert_eq!(set("msg-timeout", "1m").map(|it| it.msg_timeout), Ok(minute));
        assert_eq!(set("heartbeat_interval", "-1").map(|it| it.heartbeat_interval), Ok(None));
        assert_eq!(set("snappy", "true").map(|it| it.snappy), Ok(true));
        let skip = set("skip_lookupd_authorization", "false");
        assert_eq!(skip.map(|it| it.lookupd_authorization), Ok(false));
        assert!(set("tls_min_version", "tls1.0").is_ok());
    }

    #[test]
    fn errors_are_go_nsqs() {
        for (name, text, expected) in [
            ("nope", "1", "invalid option nope"),
            (
                "max_in_flight",
                "x",
                "failed to coerce option max_in_flight (x) - must be an integer",
            ),
            ("lookupd_poll_jitter", "2", "invalid lookupd_poll_jitter ! 2 > 1"),
            ("read_timeout", "1ms", "invalid read_timeout ! 1ms < 100ms"),
            ("read_timeout", "6m", "invalid read_timeout ! 6m0s > 5m0s"),
            ("tls_min_version", "tls2", "ERROR: tls2 is not a tls version"),
        ] {
            assert_eq!(set(name, text).map(|_| ()), Err(expected.to_owned()), "{name} {text}");
        }
        for (name, text) in
            [("max_attempts", "65536"), ("deflate_level", "0"), ("dial_timeout", "-1s")]
        {
            assert!(set(name, text).is_err(), "{name} {text}");
        }
    }

    /// A huge time-out was a panic in the middle of work, and none at all made the producer spin.
    #[test]
    fn time_outs_have_bounds() {
        let error = |config: Config| config.check().map_err(|error| error.to_string());
        let (longest, none) = (Duration::MAX, Duration::ZERO);
        for config in [
            Config { publish_timeout: longest, ..Config::default() },
            Config { publish_timeout: none, ..Config::default() },
            Config { stop_timeout: longest, ..Config::default() },
            Config { dial_timeout: longest, ..Config::default() },
            Config { dial_timeout: none, ..Config::default() },
            Config { handshake_timeout: longest, ..Config::default() },
            Config { lookupd_poll_timeout: longest, ..Config::default() },
            Config { read_timeout: longest, ..Config::default() },
            Config { lookupd_poll_jitter: f64::NAN, ..Config::default() },
        ] {
            assert!(error(config.clone()).is_err(), "{config:?}");
        }
        let config = Config { stop_timeout: none, ..Config::default() };
        assert_eq!(error(config), Ok(()), "not to wait at all is something to want");
        let day = Config { publish_timeout: Duration::from_secs(86_401), ..Config::default() };
        let expected = "invalid publish_timeout ! 24h0m1s > 24h0m0s";
        assert_eq!(error(day), Err(expected.to_owned()));
    }

    #[test]
    fn options_that_do_not_go_together() {
        let read_timeout = Duration::from_secs(10);
        let config = Config { read_timeout, ..Config::default() };
        let expected = "HeartbeatInterval 30s must be less than ReadTimeout 10s";
        assert_eq!(config.check().map_err(|error| error.to_string()), Err(expected.to_owned()));
        assert!(Config { snappy: true, deflate: true, ..Config::default() }.check().is_err());
        assert_eq!(Config::default().check(), Ok(()));
    }
}
