//! Strings, times and bytes in the notation that JSON has for them. Knows no event.

use core::fmt::{self, Write};

use crate::report::buffer::Buffer;

/// A string, of which at most `most` bytes are given; whether it was longer.
pub fn quote(out: &mut Buffer<'_>, value: fmt::Arguments<'_>, most: usize) -> bool {
    out.put_str("\"");
    let mut escape = Escape {
        out,
        left: most,
        cut: false,
    };
    let _ = escape.write_fmt(value);
    let cut = escape.cut;
    out.put_str("\"");
    cut
}

/// Escapes what is written through it; what is longer than `left` bytes ends with an ellipsis.
struct Escape<'b, 'a> {
    out: &'b mut Buffer<'a>,
    left: usize,
    cut: bool,
}

impl fmt::Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.cut {
                return Ok(());
            }
            if c.len_utf8() > self.left {
                self.cut = true;
                self.out.put_str("…");
                return Ok(());
            }
            self.left -= c.len_utf8();
            match c {
                '"' => self.out.put_str("\\\""),
                '\\' => self.out.put_str("\\\\"),
                '\n' => self.out.put_str("\\n"),
                '\r' => self.out.put_str("\\r"),
                '\t' => self.out.put_str("\\t"),
                // From DEL on they are legal in JSON, but no friends of terminals.
                c if c.is_control() => {
                    self.out.put(format_args!("\\u{:04x}", u32::from(c)));
                }
                c => {
                    let mut utf8 = [0; 4];
                    self.out.put_str(c.encode_utf8(&mut utf8));
                }
            }
        }
        Ok(())
    }
}

/// Bytes as text: what is none becomes the replacement character.
pub(super) struct Lossy<'a>(pub(super) &'a [u8]);

impl fmt::Display for Lossy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

/// Bytes as hexadecimal digits.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A time since the epoch as RFC 3339 in UTC, with milliseconds.
pub(super) struct Rfc3339(pub(super) u64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000_000;
        let ms = self.0 / 1_000_000 % 1000;
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"
        )
    }
}

/// Year, month and day of a day since the epoch. Years begin in March here, so that the leap
/// day comes last; 400 years always have the same number of days.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    // Days from 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let january = month >= 10;
    let month = if january { month - 9 } else { month + 3 };
    (era * 400 + year + u64::from(january), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (ns, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999_000_000, "2024-02-29T23:59:59.999Z"),
            (1_735_689_600_000_000_000, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Rfc3339(ns).to_string(), shown);
        }
    }
}
