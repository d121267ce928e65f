//! Durations as whole nanoseconds, the way Go writes a `time.Duration`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// Writes a 64-bit integer; a duration beyond its range (292 years) is written as the largest.
pub(crate) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

/// Reads a 64-bit integer. Go nsqd accepts negative settings and reports them; they mean "none"
/// there, so they read as zero instead of making the whole answer unreadable.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let nanoseconds = i64::deserialize(deserializer)?;
    Ok(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)))
}
