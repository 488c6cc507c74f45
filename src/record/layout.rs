//! Where each field of the record is.
//!
//! Whoever reads it may be of another version: the numbers that decide about the layout come first
//! and stay where they are. All zeros is a record of which nothing is written yet.

use core::mem::{offset_of, size_of};
use core::sync::atomic::Ordering;

use crate::sync::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, or_in_model};

/// Forked children of which the place of the fork is kept.
pub const SLOTS: usize = if cfg!(miri) {
    // Which takes minutes for each pass over a record.
    8
} else {
    or_in_model(256, 2)
};

/// Bytes of the texts, their NULs included.
pub(crate) const VERSION: usize = or_in_model(32, 2);
pub(crate) const THREAD: usize = or_in_model(16, 2);
pub(crate) const NAME: usize = or_in_model(64, 2);
pub(crate) const PLACE: usize = or_in_model(1160, 2);
pub(crate) const FORK: usize = or_in_model(16, 2);
pub(crate) const FORK_PLACE: usize = or_in_model(376, 2);

/// Native frames that are kept of where CUDA was initialised.
pub const NATIVE: usize = or_in_model(16, 1);
/// And of a fork.
pub const FORK_NATIVE: usize = or_in_model(8, 1);

/// The first bytes of every record.
pub const MAGIC: u64 = u64::from_ne_bytes(*b"forkgrd\n");
/// The layout that is described here.
pub const LAYOUT: u32 = 1;

/// Text in shared memory, cut at a character to what there is room for, ended by a NUL.
#[repr(transparent)]
pub struct Text<const ROOM: usize>(pub(crate) [AtomicU8; ROOM]);

impl<const ROOM: usize> Text<ROOM> {
    pub(crate) fn put(&self, text: &str) {
        let text = &text[..text.floor_char_boundary(ROOM - 1)];
        for (place, byte) in self.0.iter().zip(text.bytes().chain([0])) {
            place.store(byte, Ordering::Relaxed);
        }
    }
}

/// What is said once, of the process that initialised CUDA.
#[repr(C)]
pub struct Header {
    /// [`MAGIC`], stored last: what is before it and after it is complete then.
    pub(crate) magic: AtomicU64,
    /// [`LAYOUT`].
    pub(crate) layout: AtomicU32,
    /// Bytes of a slot.
    pub(crate) slot_size: AtomicU32,
    /// How many there are.
    pub(crate) slots: AtomicU32,
    /// Whether a context was created: CUDA was used, not only asked.
    pub(crate) context: AtomicU32,
    /// Violations of the whole family, those of processes that are gone included.
    pub(crate) violations: AtomicU32,
    /// The slot that is tried next.
    pub(crate) next: AtomicU32,
    pub(crate) pid: AtomicI32,
    pub(crate) tid: AtomicI32,
    pub(crate) unix_ns: AtomicU64,
    pub(crate) boot_ns: AtomicU64,
    pub(crate) namespace: AtomicU64,
    pub(crate) caller: AtomicU64,
    pub(crate) native: [AtomicU64; NATIVE],
    pub(crate) version: Text<VERSION>,
    pub(crate) thread: Text<THREAD>,
    pub(crate) function: Text<NAME>,
    pub(crate) policy: Text<NAME>,
    pub(crate) place: Text<PLACE>,
}

/// A forked child.
#[repr(C)]
pub struct Slot {
    /// Who is to be alive for it not to be given again: the child's number, or, before it has one,
    /// its parent's, and above it a number for the pid namespace that counts so; 0 is nobody yet.
    pub(crate) owner: AtomicU64,
    /// A [`State`](crate::State).
    pub(crate) state: AtomicU32,
    pub(crate) violations: AtomicU32,
    /// The child, as it numbers itself; 0 until it has come so far.
    pub(crate) pid: AtomicI32,
    /// The child, as its parent numbers it; 0 until that knows.
    pub(crate) outer: AtomicI32,
    pub(crate) before_ns: AtomicU64,
    /// Odd while what follows is being written.
    pub(crate) sequence: AtomicU32,
    pub(crate) parent: AtomicI32,
    pub(crate) unix_ns: AtomicU64,
    pub(crate) after_ns: AtomicU64,
    pub(crate) native: [AtomicU64; FORK_NATIVE],
    pub(crate) function: Text<FORK>,
    pub(crate) place: Text<FORK_PLACE>,
}

/// The record of a family. Zeroed memory is a valid one, of which nothing is written.
#[repr(C)]
pub struct Record {
    pub(crate) header: Header,
    pub(crate) slot: [Slot; SLOTS],
}

/// Where the slots begin.
pub(crate) const SLOTS_AT: usize = offset_of!(Record, slot);

#[cfg(not(loom))]
const _: () = assert!(
    size_of::<Slot>() == 512 && SLOTS_AT.is_multiple_of(512),
    "no slot lies in two pages"
);
const _: () = assert!(size_of::<Record>() == SLOTS_AT + SLOTS * size_of::<Slot>());
const _: () = assert!(offset_of!(Header, magic) == 0 && offset_of!(Header, layout) == 8);
