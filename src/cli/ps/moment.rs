//! Times and ages, as they are shown.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long ago that was: `3s`, `12m05s`, `7h10m`, `3d04h`.
pub fn age(unix_ns: u64, now: SystemTime) -> String {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let age = now.saturating_sub(Duration::from_nanos(unix_ns)).as_secs();
    let (minutes, hours, days) = (age / 60, age / 3600, age / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{age}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", age % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        (0..1000, _, _) => format!("{days}d{:02}h", hours % 24),
        _ => "?".to_owned(),
    }
}

/// As the guard's events have it: RFC 3339, in UTC, to the millisecond.
pub fn rfc3339(unix_ns: u64) -> String {
    let seconds = unix_ns / 1_000_000_000;
    let (days, clock) = (seconds / 86400, seconds % 86400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        clock / 3600,
        clock / 60 % 60,
        clock % 60,
        unix_ns / 1_000_000 % 1000
    )
}

/// The date so many days after 1970-01-01, counted in years that begin in March, of which the leap
/// day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let january = u64::from(month >= 10);
    (year + era * 400 + january, month + 3 - 12 * january, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        let now = UNIX_EPOCH + Duration::from_secs(10_000_000);
        let ago = |seconds: u64| age((10_000_000 - seconds) * 1_000_000_000, now);
        assert_eq!(ago(0), "0s");
        assert_eq!(ago(59), "59s");
        assert_eq!(ago(725), "12m05s");
        assert_eq!(ago(25_800), "7h10m");
        assert_eq!(ago(273_600), "3d04h");
        assert_eq!(age(u64::MAX, now), "0s", "of a clock that was put back");
        assert_eq!(age(0, UNIX_EPOCH + Duration::from_hours(30_000)), "?");
    }

    #[test]
    fn dates() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_399_999_000_000), "2000-02-28T23:59:59.999Z");
        assert_eq!(rfc3339(951_782_400_000_000_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(
            rfc3339(4_107_542_400_000_000_000),
            "2100-03-01T00:00:00.000Z"
        );
        assert_eq!(rfc3339(u64::MAX), "2554-07-21T23:34:33.709Z");
    }
}
