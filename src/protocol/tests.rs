//! The protocols by threads of the machine, in static memory as the library has them: what loom's
//! models have in small, for `scripts/check-miri` to look at, too.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;

use crate::forks::Forks;
use crate::functions::{Asked, Functions, Name};
use crate::initialisation::{Initialisation, Moments};
use crate::sync::Cell;
use crate::tellers::{Others, Tellers, Telling};
use crate::turns::{Turns, Waiting};

const THREADS: usize = 4;

/// Has all threads do it at once; each is told its number.
fn at_once(act: impl Fn(u32) + Sync) {
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for number in 1..=THREADS as u32 {
            let (barrier, act) = (&barrier, &act);
            scope.spawn(move || {
                barrier.wait();
                act(number);
            });
        }
    });
}

/// All but the last are refused by the driver.
#[test]
fn the_place_of_who_succeeded_is_told() {
    static INITIALISATION: Initialisation = Initialisation::new();
    static MOMENTS: Moments<[u32; 16]> = Moments::new([const { Cell::new([0; 16]) }; 2]);
    at_once(|number| {
        let note = |place: &mut [u32; 16]| *place = [number; 16];
        let succeeds = number == THREADS as u32;
        // SAFETY: these moments are this initialisation's, here and below.
        let is_the_one = unsafe {
            let attempt = INITIALISATION.begin(&MOMENTS, note);
            INITIALISATION.finish(attempt, succeeds, 7, &MOMENTS, note)
        };
        assert_eq!(is_the_one, succeeds);
    });
    assert_eq!(INITIALISATION.owner(), Some(7));
    // SAFETY: as above.
    let told = unsafe { INITIALISATION.told(&MOMENTS) };
    assert_eq!(told, Some(&[THREADS as u32; 16]));
}

#[test]
fn forking_threads_have_a_record_each() {
    static FORKS: Forks<u32, THREADS, 2> = Forks::new([const { Cell::new(0) }; THREADS]);
    at_once(|number| {
        for _ in 0..20 {
            let index = FORKS.claim().unwrap();
            // SAFETY: claimed by this thread, here and below.
            unsafe { FORKS.write(index, |record| *record = number) };
            // SAFETY: as above.
            assert_eq!(unsafe { FORKS.record(index) }, Some(&number));
            FORKS.give_back(index);
        }
    });
}

/// Of a line that is too long the beginning and the end are kept, and what is not of it is given back.
#[test]
fn a_long_line_loses_its_middle() {
    let forks: Forks<u32, 6, 4> = Forks::new([const { Cell::new(0) }; 6]);
    for _ in 0..6 {
        let index = forks.claim().unwrap();
        forks.adopt(index);
        forks.give_back_others(|_| {});
    }
    let line: Vec<_> = forks.line().collect();
    assert_eq!(line.len(), 4);
    assert_eq!(line[..2], [0, 1]);
    let mut given_back = Vec::new();
    forks.claim().unwrap();
    forks.give_back_others(|index| given_back.push(index));
    assert!(!given_back.is_empty() && given_back.iter().all(|index| !line.contains(index)));
    forks.forget_line();
    assert_eq!(forks.line().count(), 0);
    assert_eq!(forks.claim(), Some(0));
}

#[test]
fn functions_are_found_whole() {
    static FUNCTIONS: Functions<2, 40, 128, 64> = Functions::new();
    at_once(|number| {
        for at in 1..=8 {
            let name = [b'a' + at as u8, 0];
            let asked = || Asked {
                name: &name,
                export: (at == 1).then_some(1),
                is_export: at == 1,
            };
            let slot = FUNCTIONS.admit(at << 4, |_| true, asked, || at as u16);
            let slot = slot.unwrap_or_else(|| panic!("{number}: there is room"));
            assert_eq!(FUNCTIONS.target(slot), Some(at << 4));
            assert_eq!(FUNCTIONS.meaning(slot, || at as u16), at as u16);
            match FUNCTIONS.name(slot) {
                Name::Export(export) => assert_eq!((export, at), (1, 1)),
                Name::Kept(text) => {
                    let found: Vec<_> = text[..2]
                        .iter()
                        // SAFETY: the name is whole, and nobody writes it any more.
                        .map(|byte| byte.with(|byte| unsafe { *byte }))
                        .collect();
                    assert_eq!(found, name);
                }
                Name::Unknown => panic!("there is room for its name"),
            }
        }
    });
}

/// All live, and wait for who tells.
struct Living;

impl Others for Living {
    fn is_dead(&self, _pid: i32) -> bool {
        false
    }

    fn wait(&self, out: &AtomicU32) {
        while out.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
    }

    fn wake(&self, _out: &AtomicU32) {}
}

#[test]
fn one_tells_and_the_others_name_it() {
    static TELLERS: Tellers<4> = Tellers::new();
    let (first, repeats) = (AtomicU32::new(0), AtomicU32::new(0));
    at_once(
        |number| match TELLERS.tell(7 << 32, number as i32, &Living) {
            Telling::First(entry) => {
                first.store(number, Ordering::Relaxed);
                entry.unwrap().done(&Living);
            }
            Telling::Repeated(told) => {
                assert_eq!(told.by as u32, first.load(Ordering::Relaxed));
                repeats.fetch_add(1, Ordering::Relaxed);
            }
        },
    );
    assert_eq!(repeats.into_inner() as usize, THREADS - 1);
}

/// Comes back for no reason.
struct Looking;

impl Waiting for Looking {
    fn wait(&self, _word: &AtomicU64, _value: u64) {
        thread::yield_now();
    }

    fn wake(&self, _word: &AtomicU64) {}
}

/// The third turn is the last.
#[test]
fn turns_are_taken_until_it_is_done() {
    struct Taken(Cell<u32>);
    // SAFETY: touched by the thread whose turn it is.
    unsafe impl Sync for Taken {}
    static TURNS: Turns = Turns::new();
    static TAKEN: Taken = Taken(Cell::new(0));
    at_once(|_| {
        if TURNS.take(7, &Looking) {
            // SAFETY: this thread has the turn.
            let taken = TAKEN.0.with_mut(|taken| unsafe {
                *taken += 1;
                *taken
            });
            TURNS.give_back(7, taken == 3, &Looking);
        }
    });
    assert!(!TURNS.take(7, &Looking));
    // SAFETY: no other thread is left.
    assert_eq!(TAKEN.0.with(|taken| unsafe { *taken }), 3);
    assert!(TURNS.take(8, &Looking), "another process's");
}
