//! The records that forking threads claim, and those that a child inherits.
//!
//! A thread that is about to fork claims a record and writes in it where it is; its child finds the
//! record there, and adds it to the line of forks that led to it. What other threads of the parent had
//! claimed nobody in the child will give back, so the child does.

use core::sync::atomic::Ordering;

use crate::sync::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Cell, array};

/// So many records, of which the line keeps so many (two at least). Zeroed but for what the records are,
/// none is claimed.
///
/// What every fork writes lies together, and with it the beginning of the first record, which is the
/// one that mostly is used: after a fork the first write to a page costs its copy, in the parent and in
/// the child.
#[repr(C, align(4096))]
pub struct Forks<T, const RECORDS: usize, const LINE: usize> {
    /// Which records are in use.
    claimed: [AtomicBool; RECORDS],
    /// A number that goes with each record.
    numbers: [AtomicU32; RECORDS],
    /// The records of this process's line, oldest first.
    line: [AtomicU8; LINE],
    line_len: AtomicUsize,
    records: [Cell<T>; RECORDS],
}

// SAFETY: a record is written by the thread that has claimed it, and read by that thread or in a forked
// child, which is a copy.
unsafe impl<T: Send + Sync, const RECORDS: usize, const LINE: usize> Sync
    for Forks<T, RECORDS, LINE>
{
}

macro_rules! of {
    ($records:ident) => {
        Self {
            claimed: array!(AtomicBool::new(false)),
            numbers: array!(AtomicU32::new(0)),
            line: array!(AtomicU8::new(0)),
            line_len: AtomicUsize::new(0),
            records: $records,
        }
    };
}

impl<T, const RECORDS: usize, const LINE: usize> Forks<T, RECORDS, LINE> {
    /// None claimed of these.
    #[cfg(not(loom))]
    pub const fn new(records: [Cell<T>; RECORDS]) -> Self {
        of!(records)
    }

    /// None claimed of these.
    #[cfg(loom)]
    pub fn new(records: [Cell<T>; RECORDS]) -> Self {
        of!(records)
    }

    /// A record that is the calling thread's until it gives it back.
    pub fn claim(&self) -> Option<usize> {
        self.claimed.iter().position(|claimed| {
            claimed
                .compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        })
    }

    /// Gives it back.
    pub fn give_back(&self, index: usize) {
        if let Some(claimed) = self.claimed.get(index) {
            claimed.store(false, Ordering::Release);
        }
    }

    /// Has `write` write in the record; none where there is no such record.
    ///
    /// # Safety
    /// The calling thread has claimed it, or is a forked child's only one, and it is in its line or was
    /// claimed for the fork that made it.
    pub unsafe fn write<R>(&self, index: usize, write: impl FnOnce(&mut T) -> R) -> Option<R> {
        let record = self.records.get(index)?;
        // SAFETY: nobody else comes to it, says the caller.
        Some(record.with_mut(|record| write(unsafe { &mut *record })))
    }

    /// The record.
    ///
    /// # Safety
    /// As for [`Self::write`]; and it is not written while what this gave is used.
    pub unsafe fn record(&self, index: usize) -> Option<&T> {
        let record = self.records.get(index)?;
        // SAFETY: nobody writes it, says the caller.
        Some(record.with(|record| unsafe { &*record }))
    }

    /// Has this number go with the record.
    pub fn set_number(&self, index: usize, number: u32) {
        if let Some(place) = self.numbers.get(index) {
            place.store(number, Ordering::Relaxed);
        }
    }

    /// The number that goes with it.
    pub fn number(&self, index: usize) -> Option<u32> {
        Some(self.numbers.get(index)?.load(Ordering::Relaxed))
    }

    /// The records of the forks that led to this process, oldest first.
    pub fn line(&self) -> impl DoubleEndedIterator<Item = usize> {
        let len = self.line_len.load(Ordering::Relaxed).min(LINE);
        self.line[..len]
            .iter()
            .map(|entry| usize::from(entry.load(Ordering::Relaxed)))
    }

    /// In a forked child, whose only thread this is: the record that was claimed for its fork is the
    /// last of its line. Of a line that is too long the middle makes room: its beginning and its end
    /// tell most.
    pub fn adopt(&self, index: usize) {
        let len = self.line_len.load(Ordering::Relaxed).min(LINE);
        let place = if len == LINE {
            for middle in LINE / 2..LINE - 1 {
                let next = self.line[middle + 1].load(Ordering::Relaxed);
                self.line[middle].store(next, Ordering::Relaxed);
            }
            LINE - 1
        } else {
            len
        };
        self.line[place].store(index as u8, Ordering::Relaxed);
        self.line_len.store(place + 1, Ordering::Relaxed);
    }

    /// In a forked child, whose only thread this is: gives back what is not of its line. `forget` is
    /// told of each.
    pub fn give_back_others(&self, mut forget: impl FnMut(usize)) {
        for (index, claimed) in self.claimed.iter().enumerate() {
            if claimed.load(Ordering::Relaxed) && !self.line().any(|ours| ours == index) {
                forget(index);
                claimed.store(false, Ordering::Relaxed);
            }
        }
    }

    /// This process's line begins with itself. What its threads have claimed for forks of their own
    /// stays theirs.
    pub fn forget_line(&self) {
        let len = self.line_len.swap(0, Ordering::Relaxed).min(LINE);
        for entry in &self.line[..len] {
            self.give_back(usize::from(entry.load(Ordering::Relaxed)));
        }
    }
}
