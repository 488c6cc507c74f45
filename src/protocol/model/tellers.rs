//! A cause is told in full by one process that lives to the end of its report, and the others name it.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32};
use loom::thread;

use crate::sync::AtomicU32 as Out;
use crate::tellers::{Others, Tellers, Telling};

/// Two causes of one place in the table, and a third one.
const CAUSE: u64 = 0x1_0000_0000;
const OTHER_CAUSE: u64 = 0x2_0000_0000;

/// The processes 1 to 3.
struct Family {
    tellers: Tellers<2>,
    dead: [AtomicBool; 4],
    has_told: [AtomicBool; 4],
    reports: AtomicU32,
}

/// Whoever waits has waited long enough: that may be at any moment.
impl Others for Family {
    fn is_dead(&self, pid: i32) -> bool {
        self.dead[pid as usize].load(Acquire)
    }

    fn wait(&self, _out: &Out) {}

    fn wake(&self, _out: &Out) {}
}

/// When a process is killed.
#[derive(Clone, Copy, PartialEq)]
enum Killed {
    Never,
    BeforeItsReport,
    AfterItsReport,
}

impl Family {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            tellers: Tellers::new(),
            dead: std::array::from_fn(|_| AtomicBool::new(false)),
            has_told: std::array::from_fn(|_| AtomicBool::new(false)),
            reports: AtomicU32::new(0),
        })
    }

    /// What the process `pid` does that meets `cause`. Who it says has told, if another one.
    fn meet(&self, cause: u64, pid: i32, killed: Killed) -> Option<i32> {
        let named = match self.tellers.tell(cause, pid, self) {
            Telling::First(entry) => {
                if killed != Killed::BeforeItsReport {
                    self.reports.fetch_add(1, Relaxed);
                    self.has_told[pid as usize].store(true, Relaxed);
                    entry.expect("there is room").done(self);
                }
                None
            }
            Telling::Repeated(told) => Some(told.by),
        };
        if killed != Killed::Never {
            self.dead[pid as usize].store(true, Release);
        }
        named
    }

    fn has_told(&self, pid: i32) -> bool {
        self.has_told[pid as usize].load(Relaxed)
    }
}

fn two_siblings(killed: Killed) {
    loom::model(move || {
        let family = Family::new();
        let other = Arc::clone(&family);
        let sibling = thread::spawn(move || other.meet(CAUSE, 1, killed));
        let named = family.meet(CAUSE, 2, Killed::Never);
        let sibling_named = sibling.join().unwrap();
        assert_eq!(family.reports.load(Relaxed), 1);
        for named in [named, sibling_named].into_iter().flatten() {
            // One that was killed later may be named by who did not wait for it: it lived then.
            assert!(family.has_told(named) || killed == Killed::BeforeItsReport && named == 1);
        }
    });
}

#[test]
fn one_tells() {
    two_siblings(Killed::Never);
}

/// It told, and ended while the other one looked: that is not told again.
#[test]
fn who_told_and_ended_has_told() {
    two_siblings(Killed::AfterItsReport);
}

/// Of a process that is gone before its report is out another one takes the entry, and the third one
/// names whoever that is.
#[test]
fn in_the_place_of_the_dead_one_tells() {
    loom::model(|| {
        let family = Family::new();
        assert_eq!(family.meet(CAUSE, 1, Killed::BeforeItsReport), None);
        let other = Arc::clone(&family);
        let sibling = thread::spawn(move || other.meet(CAUSE, 2, Killed::Never));
        let named = family.meet(CAUSE, 3, Killed::Never);
        let sibling_named = sibling.join().unwrap();
        assert_eq!(family.reports.load(Relaxed), 1);
        let named: Vec<_> = [named, sibling_named].into_iter().flatten().collect();
        assert!(matches!(named[..], [by] if family.has_told(by)));
    });
}

/// Two causes that begin at one entry do not take each other's.
#[test]
fn each_cause_is_told() {
    loom::model(|| {
        let family = Family::new();
        let other = Arc::clone(&family);
        let sibling = thread::spawn(move || other.meet(OTHER_CAUSE, 1, Killed::Never));
        let named = family.meet(CAUSE, 2, Killed::Never);
        assert_eq!((named, sibling.join().unwrap()), (None, None));
        assert_eq!(family.reports.load(Relaxed), 2);
    });
}
