//! Which line an instruction stands on, read from its code object's table.
//!
//! For free-threaded interpreters from 3.14 on. Their own function takes a lock of the code object, which a thread that has
//! let go of the interpreter must not ask for (the process dies of it), and which may be held for ever in a forked child.

use super::layout::Layout;
use crate::sys::memory::Reader;

/// Where such an interpreter keeps what is needed; the byte offsets are from `_Py_DebugOffsets`.
#[derive(Clone, Copy)]
pub struct LineTable {
    /// In a frame: which copy of the code's instructions it runs.
    pub frame_copy: usize,
    /// In a code object: its copies, a count and then their addresses.
    pub code_copies: usize,
    /// In a code object: the line it begins on.
    pub code_first_line: usize,
    /// In a code object: the table, a bytes object.
    pub code_table: usize,
    /// A bytes object's length.
    pub bytes_length: usize,
    /// Its bytes.
    pub bytes_start: usize,
}

/// Bytes of an instruction.
const UNIT: usize = 2;
/// Bytes read at once.
const CHUNK: usize = 64;

impl LineTable {
    /// The line a frame is at; `None` where its code has none there.
    pub fn line(
        &self,
        frame: usize,
        code: usize,
        layout: &Layout,
        memory: &mut Reader,
    ) -> Option<u32> {
        let first = half_word(code + self.code_first_line, memory)?;
        let copies = memory.word(code + self.code_copies)?;
        let copy = half_word(frame + self.frame_copy, memory)? as usize;
        if copies == 0 || copy >= memory.word(copies)? {
            return None;
        }
        let start = memory.word(copies.checked_add((copy + 1) * size_of::<usize>())?)?;
        let at = memory.word(frame + layout.frame_instruction)?;
        let Some(distance) = at.checked_sub(start) else {
            // Before its first instruction.
            return Some(first);
        };
        let table = memory.word(code + self.code_table)?;
        let bytes = Bytes {
            at: table.checked_add(self.bytes_start)?,
            left: memory.word(table.checked_add(self.bytes_length)?)?,
            chunk: [0; CHUNK],
            next: CHUNK,
            memory,
        };
        find(distance / UNIT, i64::from(first), bytes)
    }
}

fn half_word(at: usize, memory: &mut Reader) -> Option<u32> {
    let mut bytes = [0; 4];
    memory
        .read(at, &mut bytes)
        .then(|| u32::from_ne_bytes(bytes))
}

/// The line of the instruction with this number, in a table of entries: how many instructions, and how many lines further.
fn find(instruction: usize, first: i64, mut table: impl Iterator<Item = u8>) -> Option<u32> {
    /// An entry's first byte, and no other, has this bit.
    const BEGINS: u8 = 0x80;
    let mut line = first;
    let mut end = 0;
    loop {
        let head = table.next().filter(|byte| byte & BEGINS != 0)?;
        let kind = head >> 3 & 15;
        // The columns are passed over.
        let further = match kind {
            0..=9 => {
                table.next()?;
                0
            }
            10..=12 => {
                table.nth(1)?;
                i64::from(kind - 10)
            }
            13 => signed(&mut table)?,
            14 => {
                let further = signed(&mut table)?;
                for _ in 0..3 {
                    number(&mut table)?;
                }
                further
            }
            // Instructions of no line.
            _ => 0,
        };
        line = line.checked_add(further)?;
        end += usize::from(head & 7) + 1;
        if instruction < end {
            return u32::try_from(line).ok().filter(|_| kind != 15);
        }
    }
}

/// A number of six bits a byte, the low ones first; another byte follows where the seventh bit is set.
fn number(table: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..60).step_by(6) {
        let byte = table.next()?;
        number |= u64::from(byte & 63) << shift;
        if byte & 64 == 0 {
            return Some(number);
        }
    }
    None
}

/// The same with its sign in the lowest bit.
fn signed(table: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let number = number(table)?;
    let value = (number >> 1) as i64;
    Some(if number & 1 == 0 { value } else { -value })
}

/// The bytes of a table, read piece by piece.
struct Bytes<'a> {
    at: usize,
    left: usize,
    chunk: [u8; CHUNK],
    /// The next in `chunk`.
    next: usize,
    memory: &'a mut Reader,
}

impl Iterator for Bytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.left == 0 {
            return None;
        }
        if self.next == CHUNK {
            let now = self.left.min(CHUNK);
            if !self.memory.read(self.at, &mut self.chunk[..now]) {
                return None;
            }
            self.at = self.at.checked_add(now)?;
            self.next = 0;
        }
        let byte = self.chunk[self.next];
        self.next += 1;
        self.left -= 1;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a function that begins on line 1, as CPython 3.14.4 compiled it: lines far apart, lines backwards, none.
    const TABLE: &[u8] = &[
        0x80, 0x00, 0xf0, 0x02, 0x58, 0x01, 0x05, 0x15, 0xd8, 0x10, 0x11, 0xe0, 0x10, 0x11, 0x97,
        0x03, 0x91, 0x03, 0xf0, 0x60, 0x02, 0x00, 0x09, 0x0a, 0xf3, 0x61, 0x02, 0x50, 0x01, 0x11,
        0x0b, 0xf5, 0x05, 0x52, 0x01, 0x11, 0x0b, 0xf0, 0x00, 0x52, 0x01, 0x09, 0x0d, 0xf8, 0xf4,
        0x66, 0x02, 0x00, 0x0c, 0x15, 0xf4, 0x00, 0x04, 0x05, 0x15, 0xdb, 0x11, 0x12, 0x88, 0x41,
        0x94, 0x45, 0xd8, 0x0b, 0x0c, 0xf6, 0x03, 0x02, 0x15, 0x0a, 0x91, 0x11, 0xf7, 0x06, 0x00,
        0x0e, 0x0f, 0x8f, 0x51, 0x8f, 0x51, 0x8f, 0x51, 0x8f, 0x51, 0x8d, 0x51, 0xfe, 0xf0, 0x09,
        0x04, 0x05, 0x15, 0xfa,
    ];
    /// What its `co_lines` says: so many instructions are of this line.
    const LINES: &[(usize, Option<u32>)] = &[
        (1, Some(1)),
        (1, Some(2)),
        (1, Some(3)),
        (11, Some(5)),
        (1, Some(85)),
        (4, Some(5)),
        (7, Some(3)),
        (1, None),
        (10, Some(86)),
        (10, Some(87)),
        (1, Some(88)),
        (9, Some(87)),
        (46, Some(90)),
        (7, None),
        (1, Some(86)),
        (3, None),
    ];

    #[test]
    fn as_python_tells_them() {
        let mut instruction = 0;
        for &(count, line) in LINES {
            for _ in 0..count {
                let found = find(instruction, 1, TABLE.iter().copied());
                assert_eq!(found, line, "instruction {instruction}");
                instruction += 1;
            }
        }
        assert_eq!(find(instruction, 1, TABLE.iter().copied()), None);
    }

    #[test]
    fn what_is_no_table() {
        for table in [&[][..], &[0], &[0x80], &[0xe8], &[0xf0, 0x7f, 0x7f]] {
            assert_eq!(find(0, 1, table.iter().copied()), None);
        }
        let endless = [&[0xe8][..], &[0x7f; 40]].concat();
        assert_eq!(find(0, 1, endless.into_iter()), None);
    }
}
