//! Threads that take turns have one after the other, none sleeps for ever, and when it has been done for
//! good all see what was done; a forked child has to wait for nobody.

use std::sync::atomic::Ordering::Relaxed;

use loom::sync::atomic::AtomicBool;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::held_up_thrice;
use crate::sync::{AtomicU64, Cell};
use crate::turns::{Turns, Waiting};

const PID: i32 = 7;

/// The kernel's: nobody falls asleep when the word is another one by then. (Loom ends a model whose
/// threads all sleep.)
struct Kernel {
    lock: Mutex<()>,
    woken: Condvar,
}

impl Kernel {
    fn new() -> Self {
        Self {
            lock: Mutex::new(()),
            woken: Condvar::new(),
        }
    }
}

impl Waiting for Kernel {
    fn wait(&self, word: &AtomicU64, value: u64) {
        let lock = self.lock.lock().unwrap();
        if word.load(Relaxed) == value {
            drop(self.woken.wait(lock).unwrap());
        }
    }

    fn wake(&self, _word: &AtomicU64) {
        let _lock = self.lock.lock().unwrap();
        self.woken.notify_all();
    }
}

/// Who must not have to.
struct Never;

impl Waiting for Never {
    fn wait(&self, _word: &AtomicU64, _value: u64) {
        panic!("a forked child waits for a thread that it has not");
    }

    fn wake(&self, _word: &AtomicU64) {}
}

struct Process {
    turns: Turns,
    kernel: Kernel,
    /// What is done by turns.
    work: Cell<u32>,
    /// A thread has gone on, with what it was to wait for behind it.
    has_gone_on: AtomicBool,
}

impl Process {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            turns: Turns::new(),
            kernel: Kernel::new(),
            work: Cell::new(0),
            has_gone_on: AtomicBool::new(false),
        })
    }

    /// A turn. Ends the model where two threads have one at a time.
    fn take_turn(&self, is_done: bool) {
        if self.turns.take(PID, &self.kernel) {
            // SAFETY: loom finds out whether another thread is there.
            self.work.with_mut(|work| unsafe { *work += 1 });
            self.turns.give_back(PID, is_done, &self.kernel);
        }
    }

    fn work(&self) -> u32 {
        // SAFETY: as above.
        self.work.with(|work| unsafe { *work })
    }
}

fn threads(process: &Arc<Process>, others: usize, act: fn(&Process)) {
    let others: Vec<_> = (0..others)
        .map(|_| {
            let process = Arc::clone(process);
            thread::spawn(move || act(&process))
        })
        .collect();
    act(process);
    for other in others {
        other.join().unwrap();
    }
}

#[test]
fn one_after_the_other() {
    held_up_thrice(|| {
        let process = Process::new();
        threads(&process, 1, |process| {
            process.take_turn(false);
            process.take_turn(false);
        });
        assert_eq!(process.work(), 4);
    });
}

/// The one that wakes wakes both, of which one waits again.
#[test]
fn of_three_none_is_forgotten() {
    held_up_thrice(|| {
        let process = Process::new();
        threads(&process, 2, |process| process.take_turn(false));
        assert_eq!(process.work(), 3);
    });
}

/// It is done once, before any of them goes on, and each sees it.
#[test]
fn what_is_done_for_good_is_done_once_and_first() {
    held_up_thrice(|| {
        let process = Process::new();
        threads(&process, 2, |process| {
            if process.turns.take(PID, &process.kernel) {
                assert!(!process.has_gone_on.load(Relaxed), "too late");
                // SAFETY: as in `take_turn`.
                process.work.with_mut(|work| unsafe { *work += 1 });
                process.turns.give_back(PID, true, &process.kernel);
            }
            assert_eq!(process.work(), 1);
            process.has_gone_on.store(true, Relaxed);
        });
    });
}

/// Whatever the parent's threads are at when it is made.
#[test]
fn a_forked_child_begins_anew() {
    held_up_thrice(|| {
        let process = Process::new();
        let copy = Arc::clone(&process);
        let child = thread::spawn(move || {
            let child = copy.turns.forked();
            for is_done in [false, true] {
                assert!(child.take(PID + 1, &Never));
                child.give_back(PID + 1, is_done, &Never);
            }
            assert!(!child.take(PID + 1, &Never));
        });
        threads(&process, 1, |process| process.take_turn(true));
        child.join().unwrap();
    });
}
