//! The reader's side of the record: bytes that another process wrote, or anybody.
//!
//! Two copies are read, one after the other. What is the same in both, and was not being written at
//! either time, is whole: a writer that was at it during the first copy, in whatever order that was
//! made, had ended before the second, which then differs.

use core::mem::{offset_of, size_of};

use crate::layout::{
    FORK, FORK_PLACE, Header, LAYOUT, MAGIC, NAME, PLACE, Record, SLOTS, SLOTS_AT, Slot, THREAD,
    VERSION,
};
use crate::{Forked, Initialised, State};

/// Bytes of a record.
pub const SIZE: usize = size_of::<Record>();
/// Bytes that are to be read of it: behind them are the slots, of which the last ones may be left out
/// where nobody has written them yet.
pub const LEAST: usize = SLOTS_AT;

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// They are something else.
    Foreign,
    /// They are too few.
    Short,
    /// Nothing is written yet, or it was being written.
    Unfinished,
    /// They are laid out by another version's rules, by this number.
    Layout(u32),
}

/// A record as it was at one moment.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    first: &'a [u8],
    second: &'a [u8],
}

/// A child as its slot has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child<'a> {
    /// The child, as it numbers itself; 0 where it has not come so far.
    pub pid: i32,
    /// The child, as its parent numbers it; 0 where that did not come so far.
    pub outer: i32,
    /// It began before this, in nanoseconds since the machine was started; 0 where that is not known.
    pub before_ns: u64,
    /// Where it was forked.
    pub forked: Forked<'a>,
    /// What it did with CUDA.
    pub state: State,
    /// Its violations.
    pub violations: u32,
}

impl<'a> Snapshot<'a> {
    /// Of two copies, the second read after the first.
    pub fn new(first: &'a [u8], second: &'a [u8]) -> Result<Self, Unreadable> {
        let magic = number::<u64>(first, offset_of!(Header, magic)).ok_or(Unreadable::Short)?;
        if magic == 0 {
            return Err(Unreadable::Unfinished);
        }
        if magic != MAGIC {
            return Err(Unreadable::Foreign);
        }
        let layout = number(first, offset_of!(Header, layout)).ok_or(Unreadable::Short)?;
        if layout != LAYOUT {
            return Err(Unreadable::Layout(layout));
        }
        if first.len() < LEAST || second.len() < LEAST {
            return Err(Unreadable::Short);
        }
        let sizes = (
            number(first, offset_of!(Header, slot_size)),
            number(first, offset_of!(Header, slots)),
        );
        if sizes != (Some(size_of::<Slot>() as u32), Some(SLOTS as u32)) {
            return Err(Unreadable::Foreign);
        }
        // What counts may change meanwhile; what was said once may not.
        let said = offset_of!(Header, pid)..SLOTS_AT;
        if first[said.clone()] != second[said] {
            return Err(Unreadable::Unfinished);
        }
        Ok(Self { first, second })
    }

    /// Who initialised CUDA, and where.
    pub fn initialised(&self) -> Initialised<'a> {
        let header = self.second;
        Initialised {
            version: text(header, offset_of!(Header, version), VERSION),
            pid: number(header, offset_of!(Header, pid)).unwrap_or_default(),
            tid: number(header, offset_of!(Header, tid)).unwrap_or_default(),
            thread: text(header, offset_of!(Header, thread), THREAD),
            unix_ns: number(header, offset_of!(Header, unix_ns)).unwrap_or_default(),
            boot_ns: number(header, offset_of!(Header, boot_ns)).unwrap_or_default(),
            namespace: number(header, offset_of!(Header, namespace)).unwrap_or_default(),
            function: text(header, offset_of!(Header, function), NAME),
            caller: number(header, offset_of!(Header, caller)).unwrap_or_default(),
            policy: text(header, offset_of!(Header, policy), NAME),
            place: text(header, offset_of!(Header, place), PLACE),
            native: numbers(header, offset_of!(Header, native)),
        }
    }

    /// Whether a context was created.
    pub fn has_context(&self) -> bool {
        number::<u32>(self.second, offset_of!(Header, context)).is_some_and(|context| context != 0)
    }

    /// Violations of the whole family so far.
    pub fn violations(&self) -> u32 {
        number(self.second, offset_of!(Header, violations)).unwrap_or_default()
    }

    /// Whether a slot was being written when it was looked at: another look will see it.
    pub fn is_changing(&self) -> bool {
        (0..SLOTS).any(|index| {
            let (first, second) = (slot(self.first, index), slot(self.second, index));
            let owner: Option<u64> = number(second, offset_of!(Slot, owner));
            owner.is_some_and(|owner| owner != 0) && !is_whole(first, second)
        })
    }

    /// The children that have a slot, dead or alive.
    pub fn children(&self) -> impl Iterator<Item = Child<'a>> + use<'a> {
        let (first, second) = (self.first, self.second);
        (0..SLOTS).filter_map(move |index| slot_of(first, second, index))
    }
}

/// The child of a slot, in two copies of a record.
pub(crate) fn slot_of<'a>(first: &'a [u8], second: &'a [u8], index: usize) -> Option<Child<'a>> {
    let (first, second) = (slot(first, index), slot(second, index));
    is_whole(first, second).then(|| child(second)).flatten()
}

fn slot(record: &[u8], index: usize) -> &[u8] {
    let at = SLOTS_AT + index * size_of::<Slot>();
    record.get(at..at + size_of::<Slot>()).unwrap_or_default()
}

/// Whether the slot was written, and by nobody between or during the two looks.
fn is_whole(first: &[u8], second: &[u8]) -> bool {
    let sequence_at = offset_of!(Slot, sequence);
    let sequence: Option<u32> = number(first, sequence_at);
    sequence.is_some_and(|sequence| sequence != 0 && sequence.is_multiple_of(2))
        && first.get(sequence_at..) == second.get(sequence_at..)
}

fn child(slot: &[u8]) -> Option<Child<'_>> {
    let forked = Forked {
        parent: number(slot, offset_of!(Slot, parent))?,
        unix_ns: number(slot, offset_of!(Slot, unix_ns))?,
        after_ns: number(slot, offset_of!(Slot, after_ns))?,
        function: text(slot, offset_of!(Slot, function), FORK),
        place: text(slot, offset_of!(Slot, place), FORK_PLACE),
        native: numbers(slot, offset_of!(Slot, native)),
    };
    let [pid, outer] = [offset_of!(Slot, pid), offset_of!(Slot, outer)].map(|at| number(slot, at));
    Some(Child {
        pid: pid?,
        outer: outer?,
        before_ns: number(slot, offset_of!(Slot, before_ns))?,
        forked,
        state: State::of(number(slot, offset_of!(Slot, state))?)?,
        violations: number(slot, offset_of!(Slot, violations))?,
    })
}

/// A number as it lies in memory.
trait Number: Sized {
    fn at(bytes: &[u8]) -> Option<Self>;
}

macro_rules! number {
    ($($kind:ty)*) => {$(
        impl Number for $kind {
            fn at(bytes: &[u8]) -> Option<Self> {
                bytes.first_chunk().map(|bytes| Self::from_ne_bytes(*bytes))
            }
        }
    )*};
}

number!(u32 i32 u64);

fn number<T: Number>(bytes: &[u8], at: usize) -> Option<T> {
    T::at(bytes.get(at..)?)
}

fn numbers<const LEN: usize>(bytes: &[u8], at: usize) -> [u64; LEN] {
    core::array::from_fn(|i| number(bytes, at + i * size_of::<u64>()).unwrap_or_default())
}

/// The text that begins there, up to its NUL, or to where it is none.
fn text(bytes: &[u8], at: usize, room: usize) -> &str {
    let bytes = bytes.get(at..at + room).unwrap_or_default();
    let end = bytes.iter().position(|&byte| byte == 0);
    let bytes = &bytes[..end.unwrap_or(bytes.len())];
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}
