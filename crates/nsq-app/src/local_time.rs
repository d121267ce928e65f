//! Local time as log lines and statistics print it.
//!
//! jiff is used because it reads the system's time zone on its own (the `time` crate refuses to
//! in a process with threads) and needs no further crate on Unix.

use std::fmt::{self, Write};
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Writes times in one time zone. The zone is looked up once: a log must not change its clock in
/// the middle, and Go programs do not either.
#[derive(Debug, Clone)]
pub struct LocalTime {
    zone: TimeZone,
}

impl LocalTime {
    /// The zone named by `TZ`, else the system's, else UTC.
    #[must_use]
    pub fn system() -> Self {
        Self { zone: TimeZone::system() }
    }

    /// A fixed zone.
    #[must_use]
    pub fn utc() -> Self {
        Self { zone: TimeZone::UTC }
    }

    /// Appends `2026/11/22 18:20:10`, the date of a line that comes from no logger.
    pub fn append_date(&self, moment: SystemTime, line: &mut String) {
        let at = self.zone.to_datetime(timestamp(moment));
        append(
            line,
            format_args!(
                "{:04}/{:02}/{:02} {:02}:{:02}:{:02}",
                at.year(),
                at.month(),
                at.day(),
                at.hour(),
                at.minute(),
                at.second(),
            ),
        );
    }

    /// Appends `2026/11/22 18:20:10.259529`, the date of a log line.
    pub fn append_log_date(&self, moment: SystemTime, line: &mut String) {
        self.append_date(moment, line);
        let microseconds = timestamp(moment).subsec_microsecond().rem_euclid(1_000_000);
        append(line, format_args!(".{microseconds:06}"));
    }

    /// `2026-11-22T18:22:18Z` or `2026-11-22T19:22:18+01:00`: RFC 3339 in whole seconds.
    #[must_use]
    pub fn rfc3339(&self, moment: SystemTime) -> String {
        self.formatted(moment, "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%:z")
    }

    /// The same with microseconds: `2026-11-22T18:20:10.259529Z`.
    #[must_use]
    pub fn rfc3339_microseconds(&self, moment: SystemTime) -> String {
        self.formatted(moment, "%Y-%m-%dT%H:%M:%S.%6fZ", "%Y-%m-%dT%H:%M:%S.%6f%:z")
    }

    /// Fills in a format of `strftime`: `%Y %y %m %B %b %d %H %I %M %S %A %a %p %Z %z %%`, names in
    /// English. Whatever else stands behind a `%` stays as it is.
    #[must_use]
    pub fn strftime(&self, moment: SystemTime, format: &str) -> String {
        let zoned = timestamp(moment).to_zoned(self.zone.clone());
        let (mut text, mut rest) = (String::with_capacity(format.len() + 16), format);
        while let Some(at) = rest.find('%') {
            let (before, conversion) = rest.split_at(at);
            text.push_str(before);
            let length = conversion.chars().take(2).map(char::len_utf8).sum();
            let (conversion, behind) = conversion.split_at(length);
            match conversion {
                "%Y" | "%y" | "%m" | "%B" | "%b" | "%d" | "%H" | "%I" | "%M" | "%S" | "%A"
                | "%a" | "%p" | "%Z" | "%z" | "%%" => {
                    append(&mut text, format_args!("{}", zoned.strftime(conversion)));
                }
                other => text.push_str(other),
            }
            rest = behind;
        }
        text.push_str(rest);
        text
    }

    fn formatted(&self, moment: SystemTime, utc: &str, other: &str) -> String {
        let zoned = timestamp(moment).to_zoned(self.zone.clone());
        let format = if zoned.offset().is_zero() { utc } else { other };
        zoned.strftime(format).to_string()
    }
}

fn append(line: &mut String, text: fmt::Arguments<'_>) {
    line.write_fmt(text).expect("numbers format, and a String takes them");
}

/// A clock outside the calendar (years -9999 to 9999) shows as its end rather than failing: log
/// lines must come out whatever the clock says.
fn timestamp(moment: SystemTime) -> Timestamp {
    let end = if moment < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::try_from(moment).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn moment() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(1_795_371_610, 259_529_999)
    }

    fn berlin() -> LocalTime {
        // A POSIX rule needs no time zone database on the machine.
        LocalTime { zone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("valid rule") }
    }

    fn log_date(time: &LocalTime) -> String {
        let mut line = String::new();
        time.append_log_date(moment(), &mut line);
        line
    }

    #[test]
    fn log_dates_have_microseconds() {
        assert_eq!(log_date(&LocalTime::utc()), "2026/11/22 18:20:10.259529");
        assert_eq!(log_date(&berlin()), "2026/11/22 19:20:10.259529");
    }

    #[test]
    fn plain_dates_have_seconds() {
        let mut line = String::new();
        LocalTime::utc().append_date(moment(), &mut line);
        assert_eq!(line, "2026/11/22 18:20:10");
    }

    #[test]
    fn rfc3339_names_the_offset() {
        assert_eq!(LocalTime::utc().rfc3339(moment()), "2026-11-22T18:20:10Z");
        assert_eq!(berlin().rfc3339(moment()), "2026-11-22T19:20:10+01:00");
        let precise = LocalTime::utc().rfc3339_microseconds(moment());
        assert_eq!(precise, "2026-11-22T18:20:10.259529Z");
        let precise = berlin().rfc3339_microseconds(moment());
        assert_eq!(precise, "2026-11-22T19:20:10.259529+01:00");
    }

    #[test]
    fn formats_of_strftime() {
        let check = |time: &LocalTime, format: &str, expected: &str| {
            assert_eq!(time.strftime(moment(), format), expected, "{format}");
        };
        let utc = LocalTime::utc();
        check(&utc, "%Y-%m-%d_%H", "2026-11-22_18");
        check(&utc, "%y %B %b %I:%M:%S %p", "26 November Nov 06:20:10 PM");
        check(&utc, "%A %a %Z %z %%", "Sunday Sun UTC +0000 %");
        check(&berlin(), "%H %Z %z", "19 CET +0100");
        check(&utc, "%j %é %", "%j %é %");
        check(&utc, "%%Y 2006 Jan", "%Y 2006 Jan");
        check(&utc, "", "");
    }
}
