//! What others wrote, as a message shows it.

use core::fmt;

/// Bytes for a message: what is no text or no printable character becomes `?`, and it ends
/// after a while.
pub(super) struct Shown<'a>(pub(super) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 120;
        Whole(&self.0[..self.0.len().min(MOST)]).fmt(f)?;
        if self.0.len() > MOST {
            f.write_str("…")
        } else {
            Ok(())
        }
    }
}

/// The same to its end: for who goes by it.
pub(super) struct Whole<'a>(pub(super) &'a [u8]);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                fmt::Write::write_char(f, if c.is_control() { '?' } else { c })?;
            }
            if !chunk.invalid().is_empty() {
                f.write_str("?")?;
            }
        }
        Ok(())
    }
}
