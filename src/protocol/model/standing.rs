//! Where a process stands is the same to all of its threads, also while one initialises CUDA; and a
//! child that was forked meanwhile knows what it is.

use loom::sync::Arc;
use loom::thread;

use crate::initialisation::{Initialisation, Moments};
use crate::standing::{Standing, decide};
use crate::sync::{AtomicU32, Cell};

struct Process {
    initialisation: Initialisation,
    moments: Moments<u32>,
    /// Cleared in a forked child.
    word: AtomicU32,
}

impl Process {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            initialisation: Initialisation::new(),
            moments: Moments::new([Cell::new(0), Cell::new(0)]),
            word: AtomicU32::new(0),
        })
    }

    fn standing(&self) -> Standing {
        decide(&self.word, || self.initialisation.is_clean())
    }

    fn initialise(&self) {
        assert_eq!(self.standing(), Standing::Own);
        // SAFETY: these moments are this initialisation's.
        let attempt = unsafe { self.initialisation.begin(&self.moments, |place| *place = 1) };
        // SAFETY: as above.
        unsafe {
            self.initialisation
                .finish(attempt, true, 1, &self.moments, |place| *place = 1)
        };
    }
}

/// Loom begins with its first thread's steps, and does not come to all orders from either side.
#[test]
fn a_process_is_not_taken_for_its_own_child() {
    loom::model(|| {
        let process = Process::new();
        let other = Arc::clone(&process);
        let asking = thread::spawn(move || assert_eq!(other.standing(), Standing::Own));
        process.initialise();
        asking.join().unwrap();
    });
    loom::model(|| {
        let process = Process::new();
        let other = Arc::clone(&process);
        let initialising = thread::spawn(move || other.initialise());
        assert_eq!(process.standing(), Standing::Own);
        initialising.join().unwrap();
    });
}

#[test]
fn a_child_of_an_initialised_process_knows_it() {
    loom::model(|| {
        let process = Process::new();
        let other = Arc::clone(&process);
        let initialising = thread::spawn(move || other.initialise());
        let word = AtomicU32::new(0);
        let inherited = process.initialisation.is_clean();
        let standing = decide(&word, || inherited);
        let expected = if inherited {
            Standing::Own
        } else {
            Standing::Forked
        };
        assert_eq!(standing, expected);
        initialising.join().unwrap();
        let word = AtomicU32::new(0);
        let standing = decide(&word, || process.initialisation.is_clean());
        assert_eq!(standing, Standing::Forked);
    });
}
