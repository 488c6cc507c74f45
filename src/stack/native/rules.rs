//! How the caller of a function is found from inside of it: the unwinding tables that compilers write
//! (`.eh_frame`, DWARF's call frame information), read for what ordinary code needs. What each
//! architecture has of its own is in a file of its own.
//!
//! Of any code, [`find`] either answers what the unwinder would do there, or nothing: where the rule
//! is an expression (signal frames, realigned stacks), or written in a way that linkers here do not
//! write it, the whole stack is the unwinder's.

use super::arch::{
    FRAME_POINTER, PLAIN_CODES, PLAIN_LETTERS, RETURN_ADDRESS, RETURNS_BY, STACK_POINTER,
};
use super::rule::{Parts, Rule};

/// Encodings of addresses in the tables: four bytes with a sign, from the place itself, and from the
/// beginning of `.eh_frame_hdr`.
const FROM_HERE: u8 = 0x1b;
const FROM_TABLE: u8 = 0x3b;
const UNSIGNED: u8 = 0x03;
/// Rows that a function can have remembered inside each other.
const DEPTH: usize = 8;

/// Where the tables of an object may be read: its memory, and its `.eh_frame_hdr`.
#[derive(Clone, Copy)]
pub struct Tables {
    /// The object's first address …
    pub start: usize,
    /// … and the first after it.
    pub end: usize,
    /// `.eh_frame_hdr`.
    pub header: usize,
}

/// The rule for `pc`, an address of the object's code.
///
/// # Safety
/// The object is loaded, and its tables are where a linker put them.
pub unsafe fn find(tables: &Tables, pc: usize) -> Option<Rule> {
    let mut entry = entry_of(tables, pc)?;
    let length = entry.u32()? as usize;
    let end = entry.at.checked_add(length)?;
    if length == 0 || length == u32::MAX as usize || end > tables.end {
        return None;
    }
    entry.end = end;
    let common = entry.at.checked_sub(entry.u32()? as usize)?;
    let common = Common::read(Cursor {
        at: common,
        end: tables.end,
        start: tables.start,
    })?;
    let begin = entry.relative()?;
    let size = entry.u32()? as usize;
    if pc < begin || pc - begin >= size {
        return None;
    }
    let augmentation = entry.unsigned()? as usize;
    entry.skip(augmentation)?;
    let mut state = State {
        common: &common,
        location: begin,
        row: Row::default(),
        initial: Row::default(),
        remembered: [Row::default(); DEPTH],
        depth: 0,
    };
    state.run(common.program, pc)?;
    state.initial = state.row;
    state.run(entry, pc)?;
    state.row.rule()
}

/// The description of the function that holds `pc`, by the sorted table.
fn entry_of(tables: &Tables, pc: usize) -> Option<Cursor> {
    let mut header = Cursor {
        at: tables.header,
        end: tables.end,
        start: tables.start,
    };
    let form = [header.u8()?, header.u8()?, header.u8()?, header.u8()?];
    if form != [1, FROM_HERE, UNSIGNED, FROM_TABLE] {
        return None;
    }
    header.u32()?;
    let count = header.u32()? as usize;
    let table = header;
    let row = |index: usize| {
        let mut row = table;
        row.skip(index.checked_mul(8)?)?;
        let begin = tables.header.wrapping_add_signed(row.i32()? as isize);
        let entry = tables.header.wrapping_add_signed(row.i32()? as isize);
        Some((begin, entry))
    };
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        if row(middle)?.0 <= pc {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let (_, entry) = row(low.checked_sub(1)?)?;
    Some(Cursor {
        at: entry,
        end: tables.end,
        start: tables.start,
    })
}

/// What the functions of one compiled file have in common.
struct Common {
    code_unit: usize,
    data_unit: i64,
    program: Cursor,
}

impl Common {
    fn read(mut at: Cursor) -> Option<Self> {
        let length = at.u32()? as usize;
        let end = at.at.checked_add(length)?;
        if length == 0 || length == u32::MAX as usize || end > at.end {
            return None;
        }
        at.end = end;
        let (id, version) = (at.u32()?, at.u8()?);
        if id != 0 || !matches!(version, 1 | 3) || at.u8()? != b'z' {
            return None;
        }
        let mut letters = at;
        while at.u8()? != 0 {}
        let code_unit = at.unsigned()? as usize;
        let data_unit = at.signed()?;
        let return_address = if version == 1 {
            u64::from(at.u8()?)
        } else {
            at.unsigned()?
        };
        let size = at.unsigned()? as usize;
        let mut data = at;
        at.skip(size)?;
        let mut encoding = 0;
        loop {
            match letters.u8()? {
                0 => break,
                b'R' => encoding = data.u8()?,
                b'L' => {
                    data.u8()?;
                }
                // A function of the language's, which an exception is given to.
                b'P' => match data.u8()? & 15 {
                    0x03 | 0x0b => data.skip(4)?,
                    0x00 | 0x04 | 0x0c => data.skip(8)?,
                    _ => return None,
                },
                letter if PLAIN_LETTERS.contains(&letter) => {}
                // Signal frames, whose address is no return address, and what is to come.
                _ => return None,
            }
        }
        let known = encoding == FROM_HERE && return_address == RETURN_ADDRESS;
        known.then_some(Self {
            code_unit,
            data_unit,
            program: at,
        })
    }
}

/// Where a register of the caller's is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// Where it was.
    Same,
    /// From the caller's frame.
    At(i64),
    /// Nowhere.
    Lost,
    /// Somewhere that is computed.
    Computed,
}

#[derive(Clone, Copy)]
struct Row {
    register: u64,
    offset: i64,
    /// The address of the frame is computed.
    computed: bool,
    frame_pointer: Saved,
    return_address: Saved,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            register: 0,
            offset: 0,
            computed: true,
            frame_pointer: Saved::Same,
            return_address: RETURNS_BY,
        }
    }
}

impl Row {
    fn rule(&self) -> Option<Rule> {
        let is_last = self.return_address == Saved::Lost;
        if self.computed || !matches!(self.register, FRAME_POINTER | STACK_POINTER) {
            return None;
        }
        let place = |saved| match saved {
            Saved::Same => Some(None),
            Saved::At(offset) => Some(Some(offset.checked_neg()?)),
            Saved::Lost | Saved::Computed => None,
        };
        Rule::new(&Parts {
            from_frame_pointer: self.register == FRAME_POINTER,
            size: self.offset,
            frame_pointer: place(self.frame_pointer)?,
            return_address: if is_last {
                None
            } else {
                place(self.return_address)?
            },
            is_last,
        })
    }

    fn save(&mut self, register: u64, saved: Saved) {
        match register {
            FRAME_POINTER => self.frame_pointer = saved,
            RETURN_ADDRESS => self.return_address = saved,
            _ => {}
        }
    }
}

struct State<'a> {
    common: &'a Common,
    location: usize,
    row: Row,
    /// As the common part leaves it.
    initial: Row,
    remembered: [Row; DEPTH],
    depth: usize,
}

impl State<'_> {
    /// Runs the program as far as it is about `pc`.
    fn run(&mut self, mut program: Cursor, pc: usize) -> Option<()> {
        while program.at < program.end && self.location <= pc {
            let code = program.u8()?;
            let low = u64::from(code & 0x3f);
            match code >> 6 {
                1 => self.advance(low as usize),
                2 => {
                    let offset = program.unsigned()? as i64;
                    self.offset(low, offset);
                }
                3 => self.restore(low),
                _ => self.extended(low, &mut program)?,
            }
        }
        Some(())
    }

    fn extended(&mut self, code: u64, program: &mut Cursor) -> Option<()> {
        match code {
            // nop
            0x00 => {}
            // advance_loc1, 2, 4
            0x02 => self.advance(usize::from(program.u8()?)),
            0x03 => {
                let units = usize::from(program.u8()?) | usize::from(program.u8()?) << 8;
                self.advance(units);
            }
            0x04 => {
                let units = program.u32()? as usize;
                self.advance(units);
            }
            // offset_extended
            0x05 => {
                let (register, offset) = (program.unsigned()?, program.unsigned()? as i64);
                self.offset(register, offset);
            }
            // restore_extended
            0x06 => {
                let register = program.unsigned()?;
                self.restore(register);
            }
            // undefined
            0x07 => self.row.save(program.unsigned()?, Saved::Lost),
            // same_value
            0x08 => self.row.save(program.unsigned()?, Saved::Same),
            // register
            0x09 => {
                self.row.save(program.unsigned()?, Saved::Computed);
                program.unsigned()?;
            }
            // remember_state
            0x0a => {
                *self.remembered.get_mut(self.depth)? = self.row;
                self.depth += 1;
            }
            // restore_state
            0x0b => {
                self.depth = self.depth.checked_sub(1)?;
                self.row = self.remembered[self.depth];
            }
            // def_cfa
            0x0c => {
                self.row.register = program.unsigned()?;
                self.row.offset = program.unsigned()? as i64;
                self.row.computed = false;
            }
            // def_cfa_register
            0x0d => self.row.register = program.unsigned()?,
            // def_cfa_offset
            0x0e => self.row.offset = program.unsigned()? as i64,
            // def_cfa_expression
            0x0f => {
                self.row.computed = true;
                let size = program.unsigned()? as usize;
                program.skip(size)?;
            }
            // expression, val_expression
            0x10 | 0x16 => {
                self.row.save(program.unsigned()?, Saved::Computed);
                let size = program.unsigned()? as usize;
                program.skip(size)?;
            }
            // offset_extended_sf
            0x11 => {
                let (register, offset) = (program.unsigned()?, program.signed()?);
                self.offset(register, offset);
            }
            // GNU_args_size
            0x2e => {
                program.unsigned()?;
            }
            code if PLAIN_CODES.contains(&code) => {}
            _ => return None,
        }
        Some(())
    }

    fn advance(&mut self, units: usize) {
        self.location = (self.location).wrapping_add(units.wrapping_mul(self.common.code_unit));
    }

    fn offset(&mut self, register: u64, units: i64) {
        let offset = units.wrapping_mul(self.common.data_unit);
        self.row.save(register, Saved::At(offset));
    }

    fn restore(&mut self, register: u64) {
        match register {
            FRAME_POINTER => self.row.frame_pointer = self.initial.frame_pointer,
            RETURN_ADDRESS => self.row.return_address = self.initial.return_address,
            _ => {}
        }
    }
}

/// A place in the tables, and where they end.
#[derive(Clone, Copy)]
struct Cursor {
    at: usize,
    end: usize,
    start: usize,
}

impl Cursor {
    fn bytes<const LEN: usize>(&mut self) -> Option<[u8; LEN]> {
        let next = self.at.checked_add(LEN)?;
        if self.at < self.start || next > self.end {
            return None;
        }
        // SAFETY: inside the object, whose tables lie together in one segment (`find`'s caller); the
        // linker's lengths are kept to.
        let bytes = unsafe { (self.at as *const [u8; LEN]).read() };
        self.at = next;
        Some(bytes)
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        self.at = self.at.checked_add(len).filter(|&at| at <= self.end)?;
        Some(())
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_ne_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.bytes().map(i32::from_ne_bytes)
    }

    /// An address that is counted from where it stands.
    fn relative(&mut self) -> Option<usize> {
        let here = self.at;
        Some(here.wrapping_add_signed(self.i32()? as isize))
    }

    /// A number of DWARF's, seven bits a byte.
    fn unsigned(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.u8()?;
            if shift < 64 {
                value |= u64::from(byte & 0x7f) << shift;
            }
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
    }

    fn signed(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0i64, 0);
        loop {
            let byte = self.u8()?;
            if shift < 64 {
                value |= i64::from(byte & 0x7f) << shift;
            }
            shift += 7;
            if byte & 0x80 == 0 {
                if shift < 64 && byte & 0x40 != 0 {
                    value |= -1 << shift;
                }
                return Some(value);
            }
        }
    }
}
