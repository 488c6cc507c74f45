//! Times as events have them: RFC 3339 in UTC, to the millisecond.

use std::fmt;

/// Milliseconds since 1970, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stamp(pub i64);

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Stamp {
    /// Reads `2026-11-21T07:15:02.650Z`; `None` where it is no such time.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let mut date = date.splitn(3, '-');
        let year = number(date.next()?, 4)?;
        let month = number(date.next()?, 2).filter(|month| (1..=12).contains(month))?;
        let day = number(date.next()?, 2).filter(|day| (1..=31).contains(day))?;
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let mut time = time.splitn(3, ':');
        let hour = number(time.next()?, 2).filter(|hour| *hour < 24)?;
        let minute = number(time.next()?, 2).filter(|minute| *minute < 60)?;
        // A leap second is the next one's beginning.
        let second = number(time.next()?, 2).filter(|second| *second <= 60)?;
        if fraction.is_empty() || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
        let millis = number(&millis, 3)?;
        Some(Self(
            days(year, month, day) * DAY + hour * HOUR + minute * MINUTE + second * SECOND + millis,
        ))
    }

    /// The day: `2026-11-21`.
    pub fn day(self) -> String {
        let (year, month, day) = date(self.0.div_euclid(DAY));
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// The time of the day to the second.
    pub fn clock(self) -> String {
        let ms = self.0.rem_euclid(DAY);
        format!(
            "{:02}:{:02}:{:02}",
            ms / HOUR,
            ms / MINUTE % 60,
            ms / SECOND % 60
        )
    }

    /// The time of the day to the millisecond.
    pub fn fine(self) -> String {
        format!("{}.{:03}", self.clock(), self.0.rem_euclid(SECOND))
    }

    /// From here to a later moment.
    pub fn until(self, later: Self) -> Span {
        Span(later.0.saturating_sub(self.0))
    }
}

/// Milliseconds, as a person says them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Span(pub i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0;
        match ms {
            ..1 => f.write_str("under 1 ms"),
            1..SECOND => write!(f, "{ms} ms"),
            SECOND..MINUTE => write!(f, "{}.{:02} s", ms / SECOND, ms % SECOND / 10),
            MINUTE..HOUR => write!(f, "{} min {} s", ms / MINUTE, ms / SECOND % 60),
            HOUR..DAY => write!(f, "{} h {} min", ms / HOUR, ms / MINUTE % 60),
            _ => write!(f, "{} d {} h", ms / DAY, ms / HOUR % 24),
        }
    }
}

/// From one moment to another on the clock: `14:03:02-14:03:09`, with the days where they differ.
pub fn range(first: Stamp, last: Stamp) -> String {
    let (from, to) = (first.clock(), last.clock());
    if first.day() != last.day() {
        format!("{} {from} – {} {to}", first.day(), last.day())
    } else if from == to {
        from
    } else {
        format!("{from}–{to}")
    }
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|digit| digit.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; years begin in March here, so that the
/// leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The day that [`days`] counts.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2000-02-29T23:59:59.999Z",
            "2024-12-31T12:00:00.001Z",
            "2026-11-21T07:15:02.650Z",
            "2100-03-01T00:00:00.000Z",
        ] {
            let stamp = Stamp::parse(text).expect(text);
            assert_eq!(format!("{}T{}Z", stamp.day(), stamp.fine()), text);
        }
        assert_eq!(
            Stamp::parse("1970-01-02T00:00:00Z"),
            Some(Stamp(86_400_000))
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "Z",
            "T",
            "2026-11-21",
            "2026-13-21T07:15:02Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T07:15:02.Z",
            "2026-11-21T07:15:02.65x0Z",
            "+026-11-21T07:15:02Z",
            "2026-11-21T07:15:02+01:00",
            "２026-11-21T07:15:02Z",
        ] {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn spans_have_their_unit() {
        for (ms, shown) in [
            (0, "under 1 ms"),
            (7, "7 ms"),
            (2310, "2.31 s"),
            (61_000, "1 min 1 s"),
            (3_660_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(Span(ms).to_string(), shown);
        }
    }
}
