//! What is noted reaches the place, whoever comes first.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread;

use crate::early::Early;

struct Family {
    early: Early,
    is_there: AtomicBool,
    passed_on: AtomicBool,
}

impl Family {
    fn pass_on(&self) {
        if self.is_there.load(Acquire) {
            self.passed_on.store(true, Relaxed);
        }
    }
}

#[test]
fn what_is_noted_is_passed_on() {
    loom::model(|| {
        let family = Arc::new(Family {
            early: Early::new(),
            is_there: AtomicBool::new(false),
            passed_on: AtomicBool::new(false),
        });
        let other = Arc::clone(&family);
        let noting = thread::spawn(move || other.early.note(|| other.pass_on()));
        family.is_there.store(true, Release);
        family.early.catch_up(|| family.pass_on());
        noting.join().unwrap();
        assert!(family.passed_on.load(Relaxed));
    });
}
