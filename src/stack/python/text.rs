//! A Python string, read in place and written as UTF-8.
//!
//! What a code object is called may be anything a string can hold: code points that are not
//! text (the surrogates that stand for undecodable bytes of a file name) become U+FFFD.

use super::layout::Layout;
use crate::sys::memory::Reader;
use crate::sys::quiet;

/// Which part of a text that is too long is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The beginning, as of a function's name.
    Start,
    /// The end, as of a path.
    End,
}

/// What stands where a text was cut.
pub const CUT: &str = "\u{2026}";
/// What stands for a text that cannot be read.
const UNREADABLE: &[u8] = b"?";
/// Code units read at once.
const CHUNK: usize = 64;

/// Writes the string at `object` (of type `str_type`) into `into` as UTF-8; answers its length, and
/// whether another text stood there.
pub fn write(
    object: usize,
    str_type: usize,
    layout: &Layout,
    memory: &mut Reader,
    keep: Keep,
    into: &mut [u8],
) -> (usize, bool) {
    let Some(text) = Text::at(object, str_type, layout, memory) else {
        let len = UNREADABLE.len().min(into.len());
        return (len, quiet::copy(&UNREADABLE[..len], &mut into[..len]));
    };
    // No code point is shorter than a byte: more than this many never fit.
    let possible = text.length.min(into.len());
    if text.is_ascii && text.length <= into.len() {
        let whole = &mut into[..text.length];
        return match memory.read_over(text.data, whole) {
            Some(differs) if whole.is_ascii() => (text.length, differs),
            _ => (0, true),
        };
    }
    let mut size = 0;
    let first = if keep == Keep::End {
        text.length - possible
    } else {
        0
    };
    text.each(first, possible, memory, |point| {
        size += point.len_utf8();
        true
    });
    if size <= into.len() && possible == text.length {
        return text.copy(first, possible, memory, 0, into);
    }
    let Some(room) = into.len().checked_sub(CUT.len()) else {
        return (0, false);
    };
    if keep == Keep::Start {
        let (len, differs) = text.copy(first, possible, memory, 0, &mut into[..room]);
        let differs_there = quiet::copy(CUT.as_bytes(), &mut into[len..len + CUT.len()]);
        return (len + CUT.len(), differs | differs_there);
    }
    let differs_there = quiet::copy(CUT.as_bytes(), &mut into[..CUT.len()]);
    let skip = size.saturating_sub(room);
    let (len, differs) = text.copy(first, possible, memory, skip, &mut into[CUT.len()..]);
    (CUT.len() + len, differs | differs_there)
}

/// A string whose header has been read.
struct Text {
    data: usize,
    length: usize,
    /// Bytes a code point takes: 1, 2 or 4.
    unit: usize,
    is_ascii: bool,
}

impl Text {
    fn at(object: usize, str_type: usize, layout: &Layout, memory: &mut Reader) -> Option<Self> {
        if memory.word(object.checked_add(layout.object_type)?)? != str_type {
            return None;
        }
        let length = memory.word(object + layout.str_length)?;
        let mut state = [0; 4];
        if !memory.read(object + layout.str_state, &mut state) {
            return None;
        }
        let flags = u32::from_ne_bytes(state) >> layout.str_shift;
        let (unit, is_compact, is_ascii) = (flags & 7, flags & 8 != 0, flags & 16 != 0);
        if !is_compact || !matches!(unit, 1 | 2 | 4) || length > isize::MAX as usize / 4 {
            return None;
        }
        let header = if is_ascii {
            layout.str_ascii
        } else {
            layout.str_compact
        };
        Some(Self {
            data: object + header,
            length,
            unit: unit as usize,
            is_ascii,
        })
    }

    /// Calls `take` for each of `count` code points from `first` on, until it answers false.
    fn each(
        &self,
        first: usize,
        count: usize,
        memory: &mut Reader,
        mut take: impl FnMut(char) -> bool,
    ) {
        let mut buffer = [0u8; CHUNK];
        let mut at = self.data + first * self.unit;
        let mut left = count * self.unit;
        while left > 0 {
            let now = &mut buffer[..left.min(CHUNK)];
            if !memory.read(at, now) {
                return;
            }
            for unit in now.chunks_exact(self.unit) {
                let code = unit
                    .iter()
                    .rev()
                    .fold(0u32, |code, &byte| code << 8 | u32::from(byte));
                if !take(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)) {
                    return;
                }
            }
            at += now.len();
            left -= now.len();
        }
    }

    /// Writes those code points, without as many as make up the first `skip` bytes, as far as
    /// they fit. Answers how many bytes that is, and whether others stood there.
    fn copy(
        &self,
        first: usize,
        count: usize,
        memory: &mut Reader,
        mut skip: usize,
        into: &mut [u8],
    ) -> (usize, bool) {
        let (mut len, mut differs) = (0, false);
        self.each(first, count, memory, |point| {
            if skip > 0 {
                skip = skip.saturating_sub(point.len_utf8());
                return true;
            }
            let Some(place) = into.get_mut(len..len + point.len_utf8()) else {
                return false;
            };
            let mut bytes = [0; 4];
            differs |= quiet::copy(point.encode_utf8(&mut bytes).as_bytes(), place);
            len += point.len_utf8();
            true
        });
        (len, differs)
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout;
    use super::*;

    const STR_TYPE: usize = 0x5150;

    /// A string as 3.12 lays it out, of code points `unit` bytes wide.
    fn object(points: &[u32], unit: usize) -> Vec<u64> {
        let (layout, _) = layout::known(12).expect("3.12 is known");
        let is_ascii = unit == 1 && points.iter().all(|&point| point < 0x80);
        let header = if is_ascii {
            layout.str_ascii
        } else {
            layout.str_compact
        };
        let mut bytes = vec![0u8; header];
        bytes[layout.object_type..][..8].copy_from_slice(&STR_TYPE.to_ne_bytes());
        bytes[layout.str_length..][..8].copy_from_slice(&points.len().to_ne_bytes());
        let flags = (unit as u32 | 8 | u32::from(is_ascii) << 4) << layout.str_shift;
        bytes[layout.str_state..][..4].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend(
            points
                .iter()
                .flat_map(|point| point.to_le_bytes()[..unit].to_vec()),
        );
        bytes.resize(bytes.len().next_multiple_of(8), 0xff);
        bytes
            .chunks(8)
            .map(|word| u64::from_ne_bytes(word.try_into().expect("8 bytes")))
            .collect()
    }

    fn written(points: &[u32], unit: usize, keep: Keep, room: usize) -> String {
        let object = object(points, unit);
        let (layout, _) = layout::known(12).expect("3.12 is known");
        let mut into = vec![0; room];
        let at = object.as_ptr().addr();
        let mut write = || {
            let mut memory = Reader::default();
            write(at, STR_TYPE, &layout, &mut memory, keep, &mut into)
        };
        let (len, _) = write();
        assert_eq!(write(), (len, false), "it stands there");
        String::from_utf8(into[..len].to_vec()).expect("UTF-8")
    }

    fn points(text: &str) -> Vec<u32> {
        text.chars().map(u32::from).collect()
    }

    #[test]
    fn every_width_is_read() {
        assert_eq!(written(&points("app.py"), 1, Keep::End, 100), "app.py");
        assert_eq!(
            written(&points("caf\u{e9}.py"), 1, Keep::End, 100),
            "caf\u{e9}.py"
        );
        assert_eq!(
            written(&points("\u{6587}\u{416}"), 2, Keep::End, 100),
            "\u{6587}\u{416}"
        );
        let wide: String = "\u{1f40d}ab".repeat(50);
        assert_eq!(written(&points(&wide), 4, Keep::End, 1000), wide);
        assert_eq!(written(&[], 1, Keep::End, 100), "");
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        let found = written(&[0x61, 0xdcff, 0xd800, 0x62], 2, Keep::End, 100);
        assert_eq!(found, "a\u{fffd}\u{fffd}b");
        assert_eq!(written(&[0x11_0000], 4, Keep::End, 100), "\u{fffd}");
    }

    #[test]
    fn what_is_too_long_is_cut_between_code_points() {
        for room in 0..40 {
            for (text, unit) in [
                ("0123456789".repeat(5), 1),
                ("\u{6587}\u{e9}z".repeat(15), 2),
            ] {
                let start = written(&points(&text), unit, Keep::Start, room);
                let end = written(&points(&text), unit, Keep::End, room);
                assert!(start.len() <= room && end.len() <= room);
                if room >= CUT.len() {
                    let kept = start.strip_suffix(CUT).expect("marked as cut");
                    assert!(text.starts_with(kept) && kept.len() + CUT.len() + 3 > room);
                    let kept = end.strip_prefix(CUT).expect("marked as cut");
                    assert!(text.ends_with(kept) && kept.len() + CUT.len() + 3 > room);
                }
            }
        }
        assert_eq!(
            written(&points("0123456789"), 1, Keep::End, 10),
            "0123456789"
        );
        let exact = "\u{e9}\u{e9}\u{e9}";
        assert_eq!(written(&points(exact), 1, Keep::End, 6), exact);
    }

    #[test]
    fn another_object_is_not_read() {
        let object = object(&points("app.py"), 1);
        let (layout, _) = layout::known(12).expect("3.12 is known");
        let mut into = [0; 10];
        let mut memory = Reader::default();
        let (len, _) = write(
            object.as_ptr().addr(),
            0x1234,
            &layout,
            &mut memory,
            Keep::End,
            &mut into,
        );
        assert_eq!(&into[..len], b"?");
        let (len, _) = write(8, STR_TYPE, &layout, &mut memory, Keep::End, &mut into);
        assert_eq!(&into[..len], b"?");
    }
}
