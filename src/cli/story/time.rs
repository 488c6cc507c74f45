//! The time of an event, read back.

/// Milliseconds since the epoch of `2026-11-21T07:15:02.650Z`.
pub fn unix_ms(text: &str) -> Option<u64> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date.split('-'))?;
    let (clock, ms) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock.split(':'))?;
    let [ms] = numbers([ms].into_iter())?;
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60
        && ms < 1000;
    if !in_range {
        return None;
    }
    // Years begin in March here, so that the leap day comes last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    // Days from 0000-03-01 to 1970-01-01.
    let days = 365 * year + leap_days + day_of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms)
}

fn numbers<'a, const N: usize>(parts: impl Iterator<Item = &'a str>) -> Option<[u64; N]> {
    let mut found = [0; N];
    let mut count = 0;
    for part in parts {
        if part.is_empty() || part.len() > 4 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *found.get_mut(count)? = part.parse().ok()?;
        count += 1;
    }
    (count == N).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_that_the_guard_writes() {
        for (text, ms) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T00:00:00.000Z", 951_782_400_000),
            ("2024-02-29T23:59:59.999Z", 1_709_251_199_999),
            ("2100-03-01T00:00:00.000Z", 4_107_542_400_000),
        ] {
            assert_eq!(unix_ms(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "Z",
            "2024-02-29",
            "2024-13-01T00:00:00.000Z",
            "2024-01-01T00:00Z",
            "-1-1-1T00:00:00.000Z",
            "0000-01-01T00:00:00.000Z",
            "99999999999999999999-01-01T00:00:00.000Z",
        ] {
            assert_eq!(unix_ms(text), None, "{text}");
        }
    }
}
