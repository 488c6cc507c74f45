//! Several threads' first `cuInit` at once, and the one place that is told of them.
//!
//! The first thread to come notes its place before it calls the driver: a child that another thread
//! forks meanwhile inherits a half-initialised driver, and says where from. The place that stays is
//! that of the call which succeeded first. Mostly that is the same. Where it is another thread's, that
//! notes its own when its call has returned, in memory of its own: what the first one noted is not
//! written over, for a report may be reading it.
//!
//! Attempts are counted: while any is under way the process is not clean, whatever becomes of the
//! others, for the driver may be initialised at any moment.

use core::sync::atomic::Ordering;

use crate::sync::{AtomicBool, AtomicU32, Cell, constructor};

/// In the state: an attempt has succeeded. Below it, how many are under way.
const DONE: u32 = 1 << 31;

/// A place that is told.
const NOWHERE: u32 = 0;
const FIRST: u32 = 1;
const LAST: u32 = 2;

/// Whether, and by whom. Zeroed, nobody has tried.
pub struct Initialisation {
    state: AtomicU32,
    /// The process whose attempt succeeded.
    owner: AtomicU32,
    /// Which of the moments is told.
    told: AtomicU32,
    /// Whether an attempt under way has the first moment, or one that succeeded.
    first: AtomicBool,
    /// Whether some attempt has succeeded, and tells of it.
    last: AtomicBool,
}

/// The moments: that of who came first, and that of who succeeded first where it is not the same, or
/// began anew.
pub struct Moments<T>([Cell<T>; 2]);

// SAFETY: an [`Initialisation`] says who may come to which of them.
unsafe impl<T: Send + Sync> Sync for Moments<T> {}

impl<T> Moments<T> {
    /// Two of nothing.
    #[cfg(not(loom))]
    pub const fn new(nothing: [Cell<T>; 2]) -> Self {
        Self(nothing)
    }

    /// Two of nothing.
    #[cfg(loom)]
    pub fn new(nothing: [Cell<T>; 2]) -> Self {
        Self(nothing)
    }
}

/// A call under way.
#[must_use]
pub struct Attempt {
    /// Whether it is counted: none is that begins when another one has succeeded.
    counted: bool,
    /// Whether the first moment is this one's.
    first: bool,
}

impl Attempt {
    /// Whether its place was noted before the call.
    pub fn is_first(&self) -> bool {
        self.first
    }
}

impl Initialisation {
    constructor! {
        /// Nobody has tried.
        pub fn new() -> Self {
            Self {
                state: AtomicU32::new(0),
                owner: AtomicU32::new(0),
                told: AtomicU32::new(NOWHERE),
                first: AtomicBool::new(false),
                last: AtomicBool::new(false),
            }
        }
    }

    /// Whether nobody in this process's line has succeeded, or is at it.
    #[inline]
    pub fn is_clean(&self) -> bool {
        self.state.load(Ordering::Acquire) == 0
    }

    /// Whether somebody is at it and nobody has succeeded. In a forked child that stays so.
    pub fn is_under_way(&self) -> bool {
        let state = self.state.load(Ordering::Acquire);
        state != 0 && state & DONE == 0
    }

    /// The process that succeeded, if one has.
    #[inline]
    pub fn owner(&self) -> Option<i32> {
        let done = self.state.load(Ordering::Acquire) & DONE != 0;
        done.then(|| self.owner.load(Ordering::Relaxed) as i32)
    }

    /// The driver is about to be called. `note` notes where, if this is the first one to come.
    ///
    /// # Safety
    /// `moments` are this one's own, at each call of each function here.
    pub unsafe fn begin<T>(&self, moments: &Moments<T>, note: impl FnOnce(&mut T)) -> Attempt {
        if self.state.load(Ordering::Acquire) & DONE != 0 {
            return Attempt {
                counted: false,
                first: false,
            };
        }
        self.state.fetch_add(1, Ordering::AcqRel);
        let first = self
            .first
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        if first {
            // SAFETY: until it gives it back, this thread alone has the first moment, which is not told.
            moments.0[0].with_mut(|moment| note(unsafe { &mut *moment }));
            // Another one may have succeeded, and told of itself, meanwhile.
            let _ =
                self.told
                    .compare_exchange(NOWHERE, FIRST, Ordering::Release, Ordering::Relaxed);
        }
        Attempt {
            counted: true,
            first,
        }
    }

    /// The driver's answer to an attempt of the process `pid`: whether it is the first that succeeded.
    /// If so, `note` notes where, unless that was noted before the call.
    ///
    /// # Safety
    /// As for [`Self::begin`].
    #[expect(clippy::needless_pass_by_value, reason = "an attempt is finished once")]
    pub unsafe fn finish<T>(
        &self,
        attempt: Attempt,
        succeeded: bool,
        pid: i32,
        moments: &Moments<T>,
        note: impl FnOnce(&mut T),
    ) -> bool {
        let Attempt { counted, first } = attempt;
        if !counted {
            return false;
        }
        if !succeeded && first {
            let _ =
                self.told
                    .compare_exchange(FIRST, NOWHERE, Ordering::Relaxed, Ordering::Relaxed);
            self.first.store(false, Ordering::Release);
        }
        if !succeeded || self.last.swap(true, Ordering::AcqRel) {
            self.state.fetch_sub(1, Ordering::AcqRel);
            return false;
        }
        if !first {
            // SAFETY: only one attempt ever comes here, and nobody is told of this moment before.
            moments.0[1].with_mut(|moment| note(unsafe { &mut *moment }));
            self.told.swap(LAST, Ordering::Release);
        }
        self.owner.store(pid as u32, Ordering::Relaxed);
        self.state.fetch_add(DONE - 1, Ordering::AcqRel);
        true
    }

    /// What there is to tell: where the first call to succeed was made, or, before any has, where the
    /// first one under way was, if it has come so far. The latter is to be read by the thread whose
    /// attempt it is, and in forked children.
    ///
    /// # Safety
    /// As for [`Self::begin`].
    pub unsafe fn told<'a, T>(&self, moments: &'a Moments<T>) -> Option<&'a T> {
        let index = match self.told.load(Ordering::Acquire) {
            NOWHERE => return None,
            told => usize::from(told != FIRST),
        };
        // SAFETY: written before it was told, and not again while it is.
        Some(moments.0[index].with(|moment| unsafe { &*moment }))
    }

    /// The forked process `pid` begins anew, as one that has succeeded here. What was told until now
    /// stays as it is, for whoever is reading it.
    ///
    /// # Safety
    /// As for [`Self::begin`]; once in a process, in which no attempt is under way.
    pub unsafe fn restart<T>(&self, pid: i32, moments: &Moments<T>, note: impl FnOnce(&mut T)) {
        let (index, told) = match self.told.load(Ordering::Acquire) {
            LAST => (0, FIRST),
            _ => (1, LAST),
        };
        // SAFETY: nobody is told of this one, and nobody else writes, says the caller.
        moments.0[index].with_mut(|moment| note(unsafe { &mut *moment }));
        self.told.store(told, Ordering::Release);
        self.owner.store(pid as u32, Ordering::Relaxed);
        // Attempts of the parent's other threads stay counted, which no longer means anything.
        self.state.fetch_or(DONE, Ordering::AcqRel);
    }
}
