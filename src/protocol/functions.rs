//! The functions that were handed out, each in a slot, found by their addresses.
//!
//! Slots below `EXPORTS` belong to names that are known from the start, in order; the others are given
//! out as programs ask for functions. A function is entered in the hash table last, so that whoever finds
//! it there finds it whole; two threads that enter one function at a time may give it two slots, which is
//! harmless.

use core::sync::atomic::Ordering;

use crate::sync::{AtomicU16, AtomicU32, AtomicUsize, Cell, array, constructor};

/// `SLOTS` of them, of which `EXPORTS` have their names from the start, a hash table of `HASH` places (a
/// power of two, and several times as many), and room for `TEXT` bytes of other names. Zeroed, there is
/// none.
pub struct Functions<const EXPORTS: usize, const SLOTS: usize, const HASH: usize, const TEXT: usize>
{
    /// The true addresses; 0 where there is none yet.
    targets: [AtomicUsize; SLOTS],
    /// Where the name is, and 1: of an export, by its number, or, from `EXPORTS` on, in the text; 0 for
    /// none.
    names: [AtomicU32; SLOTS],
    /// What the function means to the caller; 0 where that is not known yet.
    meanings: [AtomicU16; SLOTS],
    by_target: [AtomicU16; HASH],
    /// How many slots were given out beyond those of the exports.
    given: AtomicUsize,
    text_used: AtomicUsize,
    text: [Cell<u8>; TEXT],
}

// SAFETY: each part of the text is written once, by the thread that reserved it through `text_used`,
// before its place is published in `names`.
unsafe impl<const EXPORTS: usize, const SLOTS: usize, const HASH: usize, const TEXT: usize> Sync
    for Functions<EXPORTS, SLOTS, HASH, TEXT>
{
}

/// The name by which a function is asked for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// With its NUL.
    pub name: &'a [u8],
    /// The number of the export that has this name.
    pub export: Option<usize>,
    /// Whether that export is what is at the address.
    pub is_export: bool,
}

/// Where a name is.
#[derive(Clone, Copy)]
pub enum Name<'a> {
    /// It is that of this export.
    Export(usize),
    /// There it begins, and ends with a NUL.
    Kept(&'a [Cell<u8>]),
    /// There was no room for it, or there is no function.
    Unknown,
}

impl<const EXPORTS: usize, const SLOTS: usize, const HASH: usize, const TEXT: usize>
    Functions<EXPORTS, SLOTS, HASH, TEXT>
{
    constructor! {
        /// None.
        pub fn new() -> Self {
            Self {
                targets: array!(AtomicUsize::new(0)),
                names: array!(AtomicU32::new(0)),
                meanings: array!(AtomicU16::new(0)),
                by_target: array!(AtomicU16::new(0)),
                given: AtomicUsize::new(0),
                text_used: AtomicUsize::new(0),
                text: array!(Cell::new(0)),
            }
        }
    }

    /// The true address, where it is known.
    #[inline]
    pub fn target(&self, slot: usize) -> Option<usize> {
        let target = self.targets.get(slot)?.load(Ordering::Acquire);
        (target != 0).then_some(target)
    }

    /// How many have one.
    pub fn count(&self) -> usize {
        let is_known = |target: &&AtomicUsize| target.load(Ordering::Relaxed) != 0;
        self.targets.iter().filter(is_known).count()
    }

    /// Notes the true address of an export, unless one is known. Answers which that is.
    pub fn set_target(&self, slot: usize, target: usize) -> usize {
        self.targets.get(slot).map_or(target, |place| {
            place
                .compare_exchange(0, target, Ordering::AcqRel, Ordering::Acquire)
                .map_or_else(|known| known, |_| target)
        })
    }

    /// Its name, as it was asked for.
    pub fn name(&self, slot: usize) -> Name<'_> {
        if slot < EXPORTS {
            return Name::Export(slot);
        }
        let place = self.names.get(slot);
        match place.map_or(0, |place| place.load(Ordering::Acquire)) as usize {
            0 => Name::Unknown,
            place if place <= EXPORTS => Name::Export(place - 1),
            place => self
                .text
                .get(place - 1 - EXPORTS..)
                .filter(|text| !text.is_empty())
                .map_or(Name::Unknown, Name::Kept),
        }
    }

    /// What it means: as it was noted, or as `find_out` says, which is noted then.
    #[inline]
    pub fn meaning(&self, slot: usize, find_out: impl FnOnce() -> u16) -> u16 {
        let Some(place) = self.meanings.get(slot) else {
            return find_out();
        };
        match place.load(Ordering::Relaxed) {
            0 => {
                let meaning = find_out();
                place.store(meaning, Ordering::Relaxed);
                meaning
            }
            known => known,
        }
    }

    /// The slot of the function at `target`: an earlier one that `fits`, or a new one for what is `asked`
    /// for, which means `meaning`; `None` where none is left.
    pub fn admit<'a>(
        &self,
        target: usize,
        fits: impl Fn(usize) -> bool,
        asked: impl FnOnce() -> Asked<'a>,
        meaning: impl FnOnce() -> u16,
    ) -> Option<usize> {
        if let Some(slot) = self.find(target, fits) {
            return Some(slot);
        }
        let asked = asked();
        if asked.is_export
            && let Some(slot) = asked.export
            && self.set_target(slot, target) == target
        {
            self.enter(slot, target);
            return Some(slot);
        }
        let name = self.keep(asked);
        let given = self
            .given
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |given| {
                (given < SLOTS - EXPORTS).then_some(given + 1)
            })
            .ok()?;
        let slot = EXPORTS + given;
        self.names[slot].store(name, Ordering::Release);
        self.meanings[slot].store(meaning(), Ordering::Relaxed);
        self.targets[slot].store(target, Ordering::Release);
        self.enter(slot, target);
        Some(slot)
    }

    fn hash(target: usize) -> usize {
        const { assert!(HASH.is_power_of_two() && HASH >= 2) };
        // Fibonacci hashing: functions are 16-aligned, their low bits say nothing.
        let mixed = (target as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed as usize >> (usize::BITS - HASH.trailing_zeros())
    }

    fn find(&self, target: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let mut place = Self::hash(target);
        loop {
            let slot = match self.by_target[place].load(Ordering::Acquire) {
                0 => return None,
                entry => usize::from(entry - 1),
            };
            // One address may be two ABIs only if the driver said so; then two slots.
            if self.target(slot) == Some(target) && fits(slot) {
                return Some(slot);
            }
            place = (place + 1) % HASH;
        }
    }

    fn enter(&self, slot: usize, target: usize) {
        let mut place = Self::hash(target);
        // There are several times as many places as slots: a free one is found.
        while self.by_target[place]
            .compare_exchange(0, slot as u16 + 1, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            place = (place + 1) % HASH;
        }
    }

    /// Where the name is from now on, as `names` has it.
    fn keep(&self, asked: Asked<'_>) -> u32 {
        if let Some(export) = asked.export {
            return export as u32 + 1;
        }
        let len = asked.name.len();
        let start = self.text_used.fetch_add(len, Ordering::Relaxed);
        let Some(room) = self.text.get(start..start.wrapping_add(len)) else {
            return 0;
        };
        for (place, &byte) in room.iter().zip(asked.name) {
            // SAFETY: this range was reserved for this call alone.
            place.with_mut(|place| unsafe { *place = byte });
        }
        (EXPORTS + start) as u32 + 1
    }
}
