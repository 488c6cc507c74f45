//! Whose turn it is to write to a pipe.
//!
//! What is longer than a pipe's atomic 4 KiB, and an event is, gets into a pipe that is nearly full
//! in pieces; so of the processes of a family one writes at a time. By a word that the family
//! shares: nobody sleeps on it, and a process that dies with the turn is found out.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::siblings;
use crate::sys::raw;

/// Milliseconds after which a turn is over, whatever became of its process.
const LONGEST: u64 = 3000;

/// The turn of a family. Zeroed, it is nobody's.
pub struct Word(AtomicU64);

/// Given back when it is dropped.
pub struct Turn {
    word: Option<&'static Word>,
    mine: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(word) = self.word {
            // Not if it was over, and is another one's now.
            let _ = word
                .0
                .compare_exchange(self.mine, 0, Ordering::Release, Ordering::Relaxed);
        }
    }
}

/// The turn, if it is ours within so many milliseconds. A process without a family has it always.
pub fn take(patience: i64) -> Option<Turn> {
    let Some(limits) = siblings::limits() else {
        return Some(Turn {
            word: None,
            mine: 0,
        });
    };
    let start = now();
    loop {
        if let Some(mine) = limits.turn.try_take(raw::getpid(), now()) {
            return Some(Turn {
                word: Some(&limits.turn),
                mine,
            });
        }
        if now().wrapping_sub(start) as i64 >= patience {
            return None;
        }
        raw::pause_1ms();
    }
}

impl Word {
    fn try_take(&self, pid: i32, now: u64) -> Option<u64> {
        let held = self.0.load(Ordering::Relaxed);
        if held != 0 && !is_over(held, now) {
            return None;
        }
        // Never 0, for no process has that number.
        let mine = u64::from(pid as u32) << 32 | (now + LONGEST) & u64::from(u32::MAX);
        let taken = self
            .0
            .compare_exchange(held, mine, Ordering::Acquire, Ordering::Relaxed);
        taken.ok().map(|_| mine)
    }
}

/// Whether the time of a turn is over, or its process is not there any more.
fn is_over(held: u64, now: u64) -> bool {
    let left = (held as u32).wrapping_sub(now as u32) as i32;
    left <= 0 || raw::is_gone((held >> 32) as i32)
}

/// Milliseconds of the monotonic clock.
fn now() -> u64 {
    raw::clock_ns(libc::CLOCK_MONOTONIC) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_it_is_given_back_or_over() {
        let me = raw::getpid();
        let word = Word(AtomicU64::new(0));
        let now = u64::from(u32::MAX) - 1000;
        let mine = word.try_take(me, now).unwrap();
        assert_eq!(word.try_take(me, now + LONGEST - 1), None);
        assert!(word.try_take(me, now + LONGEST).is_some());
        // What was over is not given back a second time.
        assert!(
            word.0
                .compare_exchange(mine, 0, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
        );
    }

    #[test]
    fn the_dead_do_not_keep_it() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let word = Word(AtomicU64::new(0));
        assert!(word.try_take(pid, 5).is_some());
        child.wait().unwrap();
        assert!(word.try_take(raw::getpid(), 6).is_some());
    }
}
