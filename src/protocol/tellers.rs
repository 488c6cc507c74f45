//! Which process of a family tells a cause, in memory that the family shares.
//!
//! Each cause has an entry, which the first process to meet it claims. Whoever meets it later says so in
//! a line, when the first one's report is out. Where that was killed before its report was out, the
//! next one claims the entry in its place.

use core::sync::atomic::Ordering;

use crate::sync::{AtomicU32, AtomicU64, array, constructor};

/// The causes of a family. Zeroed, nobody has told of any.
pub struct Tellers<const CAUSES: usize>([Entry; CAUSES]);

/// A cause.
pub struct Entry {
    /// Its hash above, the pid of the process that tells it below; 0 is free.
    teller: AtomicU64,
    /// How many processes met it after that one.
    repeats: AtomicU32,
    /// 1 once the report is out.
    out: AtomicU32,
}

/// What is to be known of the other processes.
pub trait Others {
    /// Whether a process has ended, for good.
    fn is_dead(&self, pid: i32) -> bool;
    /// Waits until the word is no longer 0, but not long.
    fn wait(&self, out: &AtomicU32);
    /// Wakes who waits at the word.
    fn wake(&self, out: &AtomicU32);
}

/// A cause that somebody tells.
#[derive(Clone, Copy)]
pub enum Telling<'a> {
    /// This process, the first; the entry is to be told when the report is out.
    First(Option<&'a Entry>),
    /// Another one did.
    Repeated(Told),
}

/// Who told a cause before.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The process that told it in full.
    pub by: i32,
    /// How many met it since, this one included.
    pub repeats: u32,
}

const HASH: u64 = !0xffff_ffff;

impl<const CAUSES: usize> Tellers<CAUSES> {
    constructor! {
        /// Nobody has told of any.
        pub fn new() -> Self {
            Self(array!(Entry {
                teller: AtomicU64::new(0),
                repeats: AtomicU32::new(0),
                out: AtomicU32::new(0),
            }))
        }
    }

    /// Notes that `pid` tells `cause` now, unless another process does or did.
    ///
    /// A report takes several writes. So that a sibling's line does not stand in the middle of it, a
    /// process that comes meanwhile waits for its end.
    pub fn tell(&self, cause: u64, pid: i32, others: &impl Others) -> Telling<'_> {
        let hash = cause & HASH;
        let mine = hash | u64::from(pid as u32);
        for step in 0..CAUSES {
            let entry = &self.0[(cause as usize).wrapping_add(step) % CAUSES];
            let mut known = 0;
            loop {
                let claimed =
                    entry
                        .teller
                        .compare_exchange(known, mine, Ordering::AcqRel, Ordering::Acquire);
                match claimed {
                    Ok(_) => return Telling::First(Some(entry)),
                    // Another cause's.
                    Err(other) if other & HASH != hash => break,
                    Err(other) => {
                        if !entry.is_lost(other as i32, others) {
                            return Telling::Repeated(entry.told());
                        }
                        // In its place, unless another one has it by now.
                        known = other;
                    }
                }
            }
        }
        Telling::First(None)
    }
}

impl Entry {
    /// The report is out.
    pub fn done(&self, others: &impl Others) {
        self.out.store(1, Ordering::Release);
        others.wake(&self.out);
    }

    /// One more process has met it.
    fn told(&self) -> Told {
        Told {
            // Whose report is out may be another one by now than who was asked after.
            by: self.teller.load(Ordering::Acquire) as i32,
            repeats: self.repeats.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    fn is_out(&self) -> bool {
        self.out.load(Ordering::Acquire) != 0
    }

    /// Whether the report that `by` began will never be out.
    fn is_lost(&self, by: i32, others: &impl Others) -> bool {
        if self.is_out() {
            return false;
        }
        if !others.is_dead(by) {
            others.wait(&self.out);
        }
        // In this order: it may have told, and ended, in between.
        others.is_dead(by) && !self.is_out()
    }
}
