//! How many events one family of processes may write: a pool that replaces its dying workers for
//! ever must not fill a disk.
//!
//! Of each kind of event `BURST` are written at once and one every `PAUSE` from then on; what
//! is left out is counted, and told by the next event of its kind. The first of each cause is
//! always written. The counts lie in memory that the family shares, are changed by single atomic
//! operations, and nobody waits for anybody: a process that dies in the middle of it leaves
//! nothing behind but a count that is off by one.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::turn;
use crate::siblings;
use crate::sys::raw;

/// Events of one kind that may come at once.
const BURST: u64 = 500;
/// Nanoseconds from one event to the next when that many have come.
const PAUSE: u64 = 5_000_000_000;
/// Causes remembered of what is no violation.
const CAUSES: usize = 128;

/// A kind of event, each with an allowance of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// CUDA was initialised.
    Initialised,
    /// CUDA was used in a forked process.
    Violation,
    /// A fork became a fresh process.
    Rewritten,
    /// A fork, or a forked process, could not be served.
    Refused,
    /// A forked process goes on without CUDA.
    Absent,
    /// A forked process has a driver of its own.
    Revived,
}

const KINDS: usize = 6;

/// The allowance of one kind.
struct Allowance {
    /// When it is whole again, in nanoseconds of the monotonic clock. Each event moves it by a
    /// pause; at most a burst's worth of them may lie ahead.
    whole_at: AtomicU64,
    /// How many were left out and not yet told.
    left_out: AtomicU32,
}

impl Allowance {
    /// Takes one event's worth at this time, if there is one.
    fn take(&self, now: u64) -> bool {
        let next = |whole_at: u64| {
            let next = whole_at.max(now) + PAUSE;
            (next - now <= BURST * PAUSE).then_some(next)
        };
        self.whole_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }
}

/// What a family has written, in memory that it shares. Zeroed memory is one that has written
/// nothing.
pub struct Limits {
    allowances: [Allowance; KINDS],
    /// Events that could not be written and are not yet told.
    lost: AtomicU32,
    /// 1 where the last thing written to a pipe was no whole line.
    torn: AtomicU32,
    /// Whose turn it is to write to a pipe.
    pub turn: turn::Word,
    /// Hashes of the causes that were told; 0 is free.
    causes: [AtomicU64; CAUSES],
}

/// An event that may be written, and what its reader has to be told of others.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Admitted {
    /// How many of its kind were left out since the last one.
    pub suppressed: u32,
    /// How many of any kind could not be written since one was.
    pub lost: u32,
}

impl Limits {
    fn admit(&self, kind: Kind, is_first: bool, now: u64) -> Option<Admitted> {
        let allowance = &self.allowances[kind as usize];
        if !allowance.take(now) && !is_first {
            allowance.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(Admitted {
            suppressed: allowance.left_out.swap(0, Ordering::Relaxed),
            lost: self.lost.swap(0, Ordering::Relaxed),
        })
    }

    fn is_first(&self, cause: u64) -> bool {
        let cause = cause.max(1);
        for step in 0..CAUSES {
            let place = &self.causes[(cause as usize).wrapping_add(step) % CAUSES];
            match place.compare_exchange(0, cause, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(known) if known == cause => return false,
                Err(_) => {}
            }
        }
        false
    }
}

/// Asks for an event of this kind to be written, which the first of a cause always may be. A
/// process without a family has no limit.
pub fn admit(kind: Kind, is_first: bool) -> Option<Admitted> {
    let Some(limits) = siblings::limits() else {
        return Some(Admitted::default());
    };
    limits.admit(kind, is_first, raw::clock_ns(libc::CLOCK_MONOTONIC))
}

/// Whether nobody of the family told of this cause before. More causes than are remembered count
/// as told.
pub fn is_first(cause: u64) -> bool {
    siblings::limits().is_none_or(|limits| limits.is_first(cause))
}

/// The event that was admitted could not be written: the next one tells what it would have told.
pub fn not_written(kind: Kind, admitted: Admitted) {
    if let Some(limits) = siblings::limits() {
        limits.lost.fetch_add(admitted.lost + 1, Ordering::Relaxed);
        let left_out = &limits.allowances[kind as usize].left_out;
        left_out.fetch_add(admitted.suppressed, Ordering::Relaxed);
    }
}

/// Notes whether what was written to a pipe last was cut off before its end, and answers what was
/// noted before.
pub fn note_torn(torn: bool) -> bool {
    siblings::limits()
        .is_some_and(|limits| limits.torn.swap(u32::from(torn), Ordering::Relaxed) == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Box<Limits> {
        // SAFETY: atomic numbers, for which zero is a value.
        unsafe { Box::new(core::mem::zeroed()) }
    }

    const START: u64 = 1_000 * PAUSE;
    const MOST: usize = BURST as usize;

    fn count(limits: &Limits, asked: usize, now: u64) -> usize {
        (0..asked)
            .filter(|_| limits.admit(Kind::Violation, false, now).is_some())
            .count()
    }

    #[test]
    fn a_burst_then_one_at_a_time() {
        let limits = limits();
        assert_eq!(count(&limits, 2 * MOST, START), MOST);
        assert_eq!(count(&limits, 500, START + PAUSE - 1), 0);
        assert_eq!(count(&limits, 500, START + PAUSE), 1);
        assert_eq!(count(&limits, 500, START + 4 * PAUSE), 3);
        // An hour of rest gives a burst again, and no more.
        assert_eq!(count(&limits, 2 * MOST, START + 1_000 * PAUSE), MOST);
    }

    #[test]
    fn a_clock_that_begins_at_zero() {
        assert_eq!(count(&limits(), 2 * MOST, 0), MOST);
    }

    #[test]
    fn what_was_left_out_is_told_once_and_by_its_kind() {
        let limits = limits();
        count(&limits, MOST + 30, START);
        let other = limits.admit(Kind::Refused, false, START).unwrap();
        assert_eq!(other, Admitted::default());
        let next = limits.admit(Kind::Violation, false, START + PAUSE).unwrap();
        assert_eq!(next.suppressed, 30);
        let next = limits.admit(Kind::Violation, false, START + 2 * PAUSE);
        assert_eq!(next.unwrap().suppressed, 0);
    }

    #[test]
    fn the_first_of_a_cause_is_never_left_out() {
        let limits = limits();
        count(&limits, MOST + 30, START);
        assert!(limits.is_first(7));
        let first = limits.admit(Kind::Violation, true, START).unwrap();
        assert_eq!(first.suppressed, 30);
        assert!(!limits.is_first(7) && limits.is_first(0) && !limits.is_first(0));
    }

    #[test]
    fn causes_without_end_are_no_way_around_it() {
        let limits = limits();
        let firsts = (1..=1_000).filter(|&cause| limits.is_first(cause)).count();
        assert_eq!(firsts, CAUSES);
    }

    #[test]
    fn of_many_at_once_no_more_than_the_burst_get_through() {
        let limits = limits();
        let through: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| count(&limits, MOST, START)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(through, MOST);
        let next = limits.admit(Kind::Violation, true, START).unwrap();
        assert_eq!(next.suppressed as usize, 3 * MOST);
    }
}
