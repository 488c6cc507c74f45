//! The table of slots, and what is known of the function behind each.
//!
//! The slots (and one word that says where this process stands) lie in a mapping that the kernel
//! clears in every forked child; all else is ordinary memory, which a child inherits: the true
//! addresses, names and classes are known there without asking anybody.
//!
//! Slots below [`names::COUNT`] belong to the driver's exported names, in order; how the others are given
//! out, by several threads at once, is [`forkguard_protocol::functions`]'s to say.

use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use forkguard_protocol::clearing::Clearing;
use forkguard_protocol::functions::{Asked, Functions, Name};

use super::classes::{self, Class};
use super::special::Special;
use super::{code, names};
use crate::config;
use crate::lineage;
use crate::report::Kind;
use crate::revive::runtime;
use crate::sys::raw::ErrnoGuard;
use crate::trace;

/// How many functions can be guarded.
pub const CAPACITY: usize = 2048;
/// Places to find them by.
const HASH: usize = 4 * CAPACITY;
/// Bytes of the names that the driver does not export.
const TEXT: usize = 48 * 1024;
/// Room for the slots and the words, in whole pages of any size in use: 4 KiB on `x86_64`, and up to
/// 64 KiB on aarch64.
const PAGES: usize = if cfg!(target_arch = "x86_64") {
    5 * 4096
} else {
    65536
};

const _: () = assert!(
    names::COUNT + 600 < CAPACITY,
    "room for what frameworks ask by other names"
);

/// What the kernel clears: the slots, then the words.
#[repr(C)]
#[cfg_attr(target_arch = "x86_64", repr(align(4096)))]
#[cfg_attr(not(target_arch = "x86_64"), repr(align(65536)))]
pub struct Cleared {
    slots: [AtomicI64; CAPACITY],
    standing: AtomicU32,
    reported: AtomicU32,
    recorded: AtomicU32,
    reporting: AtomicU32,
    rest: UnsafeCell<[u8; PAGES - CAPACITY * 8 - 16]>,
}

// SAFETY: the slots and the words are atomics; nobody reads or writes `rest`.
unsafe impl Sync for Cleared {}

/// The table the stubs read.
pub static SLOTS: Cleared = Cleared {
    slots: [const { AtomicI64::new(0) }; CAPACITY],
    standing: AtomicU32::new(0),
    reported: AtomicU32::new(0),
    recorded: AtomicU32::new(0),
    reporting: AtomicU32::new(0),
    rest: UnsafeCell::new([0; PAGES - CAPACITY * 8 - 16]),
};

static FUNCTIONS: Functions<{ names::COUNT }, CAPACITY, HASH, TEXT> = Functions::new();
/// Whether the kernel clears the table.
static CLEARING: Clearing = Clearing::new();

/// A slot's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Index(u16);

impl Index {
    /// The number a trap passed.
    pub fn from_trap(index: u32) -> Self {
        Self(index as u16)
    }

    fn at(self) -> usize {
        usize::from(self.0)
    }

    /// The stub that programs call.
    pub fn stub(self) -> usize {
        code::stub(self.at())
    }
}

// What a slot's function means, packed: class, kind, special, notes.
const CLASS_MASK: u16 = 0b11;
const KIND_XLA: u16 = 0b100;
const SPECIAL_SHIFT: u16 = 3;
const SPECIAL_MASK: u16 = 0b111 << SPECIAL_SHIFT;
const NOTE_CONTEXT: u16 = 1 << 6;
const NOTE_OBJECT: u16 = 1 << 7;
const KNOWN: u16 = 1 << 8;

/// What creates contexts, by the beginning of the name.
const CREATE_CONTEXTS: [&[u8]; 3] = [
    b"cuCtxCreate",
    b"cuDevicePrimaryCtxRetain",
    b"cuGLCtxCreate",
];
/// What creates other things that need no context.
const CREATE_OBJECTS: [&[u8]; 8] = [
    b"cuGraphCreate",
    b"cuLibraryLoad",
    b"cuMemAddressReserve",
    b"cuMemCreate",
    b"cuMemImportFromShareableHandle",
    b"cuMemPoolCreate",
    b"cuMulticastCreate",
    b"cuUserObjectCreate",
];

/// Has the kernel clear the table in forked children, from before the first word is written in it: a
/// process that has nothing to do with the driver forks without one more mapping. Whether it does: where
/// it refuses (EINVAL before 4.14, or a filter), only the interposed fork functions do.
pub fn kernel_clears() -> bool {
    CLEARING.is_on(|| {
        let _errno = ErrnoGuard::new();
        // SAFETY: the range is exactly `SLOTS`, whole pages (its alignment and size) of this library's
        // own zeroed memory, which no file is behind; advice cannot harm.
        let given = unsafe {
            libc::madvise(
                (&raw const SLOTS).cast_mut().cast(),
                size_of::<Cleared>(),
                libc::MADV_WIPEONFORK,
            )
        };
        given == 0
    })
}

/// The word that says where this process stands; 0 in a process that has not asked yet.
pub fn standing_word() -> &'static AtomicU32 {
    kernel_clears();
    &SLOTS.standing
}

/// Says that this process reports now; whether it is the first time.
pub fn first_report() -> bool {
    kernel_clears();
    SLOTS.reported.swap(1, Ordering::AcqRel) == 0
}

/// The word that says which thread of this process is reporting; 0 for none.
pub fn reporting_word() -> &'static AtomicU32 {
    kernel_clears();
    &SLOTS.reporting
}

/// The word that says where this process is in its family's record; 0 where it did not look yet.
pub fn recorded_word() -> &'static AtomicU32 {
    kernel_clears();
    &SLOTS.recorded
}

/// Clears the table, as the kernel would have.
pub fn clear() {
    for slot in &SLOTS.slots {
        slot.store(0, Ordering::Relaxed);
    }
    SLOTS.reported.store(0, Ordering::Relaxed);
    SLOTS.recorded.store(0, Ordering::Relaxed);
    SLOTS.reporting.store(0, Ordering::Relaxed);
    SLOTS.standing.store(0, Ordering::Release);
}

/// Lets calls of `index` go to `target` without the gate, in this process.
pub fn fill(index: Index, target: usize) {
    kernel_clears();
    let distance = (target as i64).wrapping_sub(code::trap(index.at()) as i64);
    SLOTS.slots[index.at()].store(distance, Ordering::Relaxed);
}

/// The true address, where it is known.
pub fn target(index: Index) -> Option<usize> {
    FUNCTIONS.target(index.at())
}

/// How many functions are guarded.
pub fn guarded() -> usize {
    FUNCTIONS.count()
}

/// Notes the true address of an exported name, found at its first call. Answers the one that is known,
/// where another thread was quicker.
pub fn set_target(index: Index, target: usize) -> usize {
    FUNCTIONS.set_target(index.at(), target)
}

/// The function's name, as it was asked for.
pub fn name(index: Index) -> &'static CStr {
    match FUNCTIONS.name(index.at()) {
        Name::Export(export) => names::name(export).unwrap_or(c"?"),
        // SAFETY: a whole NUL-terminated name stands there, and stays.
        Name::Kept(text) => unsafe { CStr::from_ptr(text.as_ptr().cast()) },
        Name::Unknown => c"a driver function",
    }
}

fn meaning(index: Index) -> u16 {
    FUNCTIONS.meaning(index.at(), || {
        meaning_of(name(index).to_bytes(), Kind::DriverCall, None)
    })
}

fn meaning_of(name: &[u8], kind: Kind, special: Option<Special>) -> u16 {
    let class = if special == Some(Special::PjrtApi) {
        Class::Harmless // it gives out a table; what is called through that is judged
    } else if config::get().ignores(name) {
        Class::Probe
    } else {
        classes::class_of(name)
    };
    let special = special
        .or_else(|| Special::of_export(name))
        .map_or(0, |special| u16::from(special.code()));
    let mut meaning = KNOWN | class as u16 & CLASS_MASK | special << SPECIAL_SHIFT;
    if kind == Kind::XlaCall {
        meaning |= KIND_XLA;
    }
    let begins_with = |prefixes: &[&[u8]]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if begins_with(&CREATE_CONTEXTS) {
        meaning |= NOTE_CONTEXT;
    }
    if begins_with(&CREATE_OBJECTS) {
        meaning |= NOTE_OBJECT;
    }
    meaning
}

/// What a call of it in a forked child means.
pub fn class(index: Index) -> Class {
    match meaning(index) & CLASS_MASK {
        value if value == Class::Harmless as u16 => Class::Harmless,
        value if value == Class::Probe as u16 => Class::Probe,
        value if value == Class::Teardown as u16 => Class::Teardown,
        _ => Class::Use,
    }
}

/// Whose function it is.
pub fn kind(index: Index) -> Kind {
    if meaning(index) & KIND_XLA != 0 {
        Kind::XlaCall
    } else {
        Kind::DriverCall
    }
}

/// The typed wrapper it needs, if any.
pub fn special(index: Index) -> Option<Special> {
    Special::from_code(((meaning(index) & SPECIAL_MASK) >> SPECIAL_SHIFT) as u8)
}

/// Whether the gate has to see the first call of it in the process that it is this process's own in.
pub fn has_to_be_seen(index: Index) -> bool {
    meaning(index) & (SPECIAL_MASK | NOTE_CONTEXT | NOTE_OBJECT) != 0
}

/// Notes that this process used the function: whether it creates contexts, or other things that have
/// handles.
pub fn note_use(index: Index) {
    let meaning = meaning(index);
    if meaning & NOTE_CONTEXT != 0 {
        lineage::note_context();
        trace::context(name(index));
        if special(index) != Some(Special::PrimaryRetain) {
            runtime::makes_other_context();
        }
    }
    if meaning & NOTE_OBJECT != 0 {
        lineage::note_object();
    }
}

/// The slot of the driver function at `target`, which a program obtained under `name`; `None`
/// when the table is full. `exported` says that `name` is the very symbol found at `target`.
pub fn admit(
    name: &CStr,
    target: usize,
    exported: bool,
    kind: Kind,
    special: Option<Special>,
) -> Option<Index> {
    let fits = |slot| special.is_none() || self::special(Index(slot as u16)) == special;
    let asked = || Asked {
        name: name.to_bytes_with_nul(),
        export: names::index_of(name.to_bytes()),
        is_export: exported,
    };
    let meaning = || meaning_of(name.to_bytes(), kind, special);
    let slot = FUNCTIONS.admit(target, fits, asked, meaning)?;
    Some(Index(slot as u16))
}
