//! Two threads' first `cuInit` at once, of which the driver refuses none or one or both, while a third
//! one forks: the place of a call that succeeded is told, whole, from then on.
//!
//! The driver is a number that says how many calls are still to be refused, and whether it is
//! initialised.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32};
use loom::thread;

use super::held_up_thrice;
use crate::initialisation::{Initialisation, Moments};
use crate::sync::Cell;

/// A place, in two halves: one without the other is torn.
type Place = [u32; 2];

struct Process {
    initialisation: Initialisation,
    moments: Moments<Place>,
    /// How many were told that they initialised.
    announced: AtomicU32,
    /// Set by the driver.
    is_initialised: AtomicBool,
}

impl Process {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            initialisation: Initialisation::new(),
            moments: Moments::new([Cell::new([0; 2]), Cell::new([0; 2])]),
            announced: AtomicU32::new(0),
            is_initialised: AtomicBool::new(false),
        })
    }

    /// A `cuInit` of the thread `number`, which the driver refuses or not.
    fn initialise(&self, number: u32, succeeds: bool) {
        let note = |place: &mut Place| *place = [number; 2];
        // SAFETY: these moments are this initialisation's, here and below.
        let attempt = unsafe { self.initialisation.begin(&self.moments, note) };
        if succeeds {
            self.is_initialised.store(true, Release);
        }
        // SAFETY: as above.
        let is_the_one = unsafe {
            self.initialisation
                .finish(attempt, succeeds, 7, &self.moments, note)
        };
        if is_the_one {
            self.announced.fetch_add(1, Relaxed);
            assert!(succeeds);
            assert_eq!(self.told(), Some([number; 2]), "it tells of its own call");
            assert_eq!(self.initialisation.owner(), Some(7));
        }
    }

    fn told(&self) -> Option<Place> {
        // SAFETY: as above.
        unsafe { self.initialisation.told(&self.moments) }.copied()
    }
}

fn two_at_once(first_succeeds: bool, second_succeeds: bool) {
    loom::model(move || {
        let process = Process::new();
        let other = Arc::clone(&process);
        let calling = thread::spawn(move || other.initialise(1, first_succeeds));
        process.initialise(2, second_succeeds);
        calling.join().unwrap();
        let succeeded: Vec<_> = [(1, first_succeeds), (2, second_succeeds)]
            .into_iter()
            .filter(|call| call.1)
            .map(|call| Some([call.0; 2]))
            .collect();
        if succeeded.is_empty() {
            assert!(process.initialisation.is_clean());
            assert_eq!(process.told(), None);
            assert_eq!(process.announced.load(Relaxed), 0);
        } else {
            assert!(!process.initialisation.is_under_way());
            assert_eq!(process.announced.load(Relaxed), 1);
            assert!(succeeded.contains(&process.told()));
        }
    });
}

#[test]
fn of_two_that_succeed_one_is_told() {
    two_at_once(true, true);
}

/// Whichever of the two came first: the place of the one that was refused is not what is told, and that
/// of the other one is not lost.
#[test]
fn of_two_the_one_that_succeeds_is_told() {
    two_at_once(false, true);
    two_at_once(true, false);
}

#[test]
fn of_two_that_are_refused_nothing_stays() {
    two_at_once(false, false);
}

/// One that is refused, and tries again, while another one succeeds.
#[test]
fn who_tries_again_takes_nothing_away() {
    held_up_thrice(|| {
        let process = Process::new();
        let other = Arc::clone(&process);
        let calling = thread::spawn(move || other.initialise(1, true));
        process.initialise(2, false);
        process.initialise(3, true);
        calling.join().unwrap();
        assert_eq!(process.announced.load(Relaxed), 1);
        assert!([Some([1; 2]), Some([3; 2])].contains(&process.told()));
    });
}

/// From the moment at which the driver is initialised no forked child takes its process for a clean one;
/// and once the first call has returned, it is told of its place.
#[test]
fn a_child_of_an_initialised_process_is_told_so() {
    held_up_thrice(|| {
        let process = Process::new();
        let threads = [(1, false), (2, true)].map(|(number, succeeds)| {
            let process = Arc::clone(&process);
            thread::spawn(move || process.initialise(number, succeeds))
        });
        // The child reads the driver's data, and what it was told, at one moment.
        if process.is_initialised.load(Acquire) {
            assert!(!process.initialisation.is_clean());
        }
        if process.initialisation.owner().is_some() {
            assert_eq!(process.told(), Some([2; 2]));
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A forked process that begins anew, while another of its threads reports.
#[test]
fn who_begins_anew_writes_over_nothing_that_is_read() {
    for refused_before in [false, true] {
        loom::model(move || {
            let process = Process::new();
            if refused_before {
                // Another thread's call succeeded while this one's was under way.
                let note = |number| move |place: &mut Place| *place = [number; 2];
                let of = &process.initialisation;
                // SAFETY: as in `initialise`.
                unsafe {
                    let refused = of.begin(&process.moments, note(9));
                    let other = of.begin(&process.moments, note(1));
                    assert!(of.finish(other, true, 7, &process.moments, note(1)));
                    assert!(!of.finish(refused, false, 7, &process.moments, note(9)));
                }
            } else {
                process.initialise(1, true);
            }
            let other = Arc::clone(&process);
            let reporting = thread::spawn(move || other.told());
            let note = |place: &mut Place| *place = [5; 2];
            // SAFETY: as in `initialise`; nobody is at an attempt.
            unsafe { process.initialisation.restart(8, &process.moments, note) };
            let read = reporting.join().unwrap();
            assert!([Some([1; 2]), Some([5; 2])].contains(&read));
            assert_eq!(process.told(), Some([5; 2]));
            assert_eq!(process.initialisation.owner(), Some(8));
        });
    }
}
