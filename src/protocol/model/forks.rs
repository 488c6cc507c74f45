//! Threads that fork at once have a record each, and a child has those of its own line.

use loom::sync::Arc;
use loom::thread;

use crate::forks::Forks;
use crate::sync::Cell;

type Records = Forks<u32, 2, 2>;

fn records() -> Records {
    Forks::new([Cell::new(0), Cell::new(0)])
}

/// A fork by the thread `number`: what is in its record when the child is made is what it wrote.
fn fork(records: &Records, number: u32) {
    let Some(index) = records.claim() else {
        panic!("there is one for each");
    };
    // SAFETY: claimed by this thread, here and below.
    unsafe { records.write(index, |record| *record = number) };
    records.set_number(index, number);
    // In the child.
    // SAFETY: as above.
    assert_eq!(unsafe { records.record(index) }, Some(&number));
    assert_eq!(records.number(index), Some(number));
    records.give_back(index);
}

#[test]
fn each_forking_thread_has_a_record() {
    loom::model(|| {
        let records = Arc::new(records());
        let other = Arc::clone(&records);
        let forking = thread::spawn(move || {
            fork(&other, 1);
            fork(&other, 2);
        });
        fork(&records, 3);
        forking.join().unwrap();
    });
}
