//! A Python string, read in place and written as UTF-8.
//!
//! What a code object is called may be anything a string can hold: code points that are not
//! text (the surrogates that stand for undecodable bytes of a file name) become U+FFFD.

use super::layout::Layout;
use crate::sys::memory::Reader;

/// Which part of a text that is too long is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The beginning, as of a function's name.
    Start,
    /// The end, as of a path.
    End,
}

/// What stands where a text was cut.
const CUT: &str = "\u{2026}";
/// What stands for a text that cannot be read.
const UNREADABLE: &[u8] = b"?";
/// Code units read at once.
const CHUNK: usize = 64;

/// Writes the string at `object` (of type `str_type`) into `into` as UTF-8; returns its length.
pub fn write(
    object: usize,
    str_type: usize,
    layout: &Layout,
    memory: &mut Reader,
    keep: Keep,
    into: &mut [u8],
) -> usize {
    let Some(text) = Text::at(object, str_type, layout, memory) else {
        let len = UNREADABLE.len().min(into.len());
        into[..len].copy_from_slice(&UNREADABLE[..len]);
        return len;
    };
    // No code point is shorter than a byte: more than this many never fit.
    let possible = text.length.min(into.len());
    if text.is_ascii && text.length <= into.len() {
        let whole = &mut into[..text.length];
        return if memory.read(text.data, whole) && whole.is_ascii() {
            text.length
        } else {
            0
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
        return 0;
    };
    if keep == Keep::Start {
        let len = text.copy(first, possible, memory, 0, &mut into[..room]);
        into[len..len + CUT.len()].copy_from_slice(CUT.as_bytes());
        return len + CUT.len();
    }
    into[..CUT.len()].copy_from_slice(CUT.as_bytes());
    let skip = size.saturating_sub(room);
    CUT.len() + text.copy(first, possible, memory, skip, &mut into[CUT.len()..])
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
        if memory.word(object + layout.object_type)? != str_type {
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
    /// they fit.
    fn copy(
        &self,
        first: usize,
        count: usize,
        memory: &mut Reader,
        mut skip: usize,
        into: &mut [u8],
    ) -> usize {
        let mut len = 0;
        self.each(first, count, memory, |point| {
            if skip > 0 {
                skip = skip.saturating_sub(point.len_utf8());
                return true;
            }
            let Some(place) = into.get_mut(len..len + point.len_utf8()) else {
                return false;
            };
            point.encode_utf8(place);
            len += point.len_utf8();
            true
        });
        len
    }
}
