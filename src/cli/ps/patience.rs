//! Asking many processes at once, with patience for those that do not answer.
//!
//! What needs the memory map of another process may take for ever: a process that is stuck in the
//! kernel holds it, and whoever reads is stuck, too. So threads ask, a few at a time, and one that is
//! stuck is left behind, and another takes its place.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long one process is waited for, and all of them together.
const ONE: Duration = Duration::from_millis(500);
const ALL: Duration = Duration::from_secs(3);
/// How long one is waited for when that is used up.
const LEAST: Duration = Duration::from_millis(10);
/// Threads that ask at a time.
const THREADS: usize = 8;
/// Nobody is being asked.
const IDLE: u64 = u64::MAX;

/// Waits for what may not answer, but not for ever.
pub struct Patience {
    one: Duration,
    left: Cell<Duration>,
}

/// Questions, and what came of them.
struct Round<Q, A, F> {
    questions: Vec<Q>,
    answers: Vec<Mutex<Option<A>>>,
    ask: F,
    next: AtomicUsize,
    began: Instant,
}

/// A thread that asks.
struct Asker {
    /// Since when it has been asking the one that it asks now, in microseconds of the round; or
    /// [`IDLE`].
    since: AtomicU64,
}

impl<Q, A, F: Fn(&Q) -> Option<A>> Round<Q, A, F> {
    fn now(&self) -> u64 {
        micros(self.began.elapsed())
    }

    /// Asks one after the other until none is left.
    fn go_on(&self, asker: &Asker) {
        loop {
            asker.since.store(self.now(), Ordering::Relaxed);
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(question) = self.questions.get(index) else {
                asker.since.store(IDLE, Ordering::Relaxed);
                return;
            };
            let answer = (self.ask)(question);
            if let Ok(mut place) = self.answers[index].lock() {
                *place = answer;
            }
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(IDLE - 1)
}

impl Patience {
    /// All of it.
    pub fn new() -> Self {
        Self::of(ONE, ALL)
    }

    /// For what always answers, however busy the machine is.
    pub fn endless() -> Self {
        Self::of(Duration::MAX / 2, Duration::MAX / 2)
    }

    fn of(one: Duration, all: Duration) -> Self {
        Self {
            one,
            left: Cell::new(all),
        }
    }

    /// What `ask` answers to each question, in their order; nothing where it has no answer, or does
    /// not come back.
    pub fn each<Q, A, F>(&self, questions: Vec<Q>, ask: F) -> Vec<Option<A>>
    where
        Q: Send + Sync + 'static,
        A: Send + 'static,
        F: Fn(&Q) -> Option<A> + Send + Sync + 'static,
    {
        let count = questions.len();
        let round = Arc::new(Round {
            answers: questions.iter().map(|_| Mutex::new(None)).collect(),
            questions,
            ask,
            next: AtomicUsize::new(0),
            began: Instant::now(),
        });
        let (done, ends) = mpsc::channel();
        let start = |number: usize| {
            let asker = Arc::new(Asker {
                since: AtomicU64::new(round.now()),
            });
            let (round, done) = (Arc::clone(&round), done.clone());
            let own = Arc::clone(&asker);
            let started = thread::Builder::new().spawn(move || {
                round.go_on(&own);
                // Nobody listens any more where it took too long.
                let _ = done.send(number);
            });
            started.is_ok().then_some((number, asker))
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let mut started = threads.min(THREADS).min(count);
        let mut asking: Vec<_> = (0..started).filter_map(start).collect();
        while !asking.is_empty() {
            let patience = self.one.min(self.left.get()).max(LEAST);
            match ends.recv_timeout(patience.min(ONE) / 2) {
                Ok(number) => asking.retain(|(own, _)| *own != number),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let late = round.now().saturating_sub(micros(patience));
            let all = asking.len();
            // What is idle is about to say that it is done.
            asking.retain(|(_, asker)| {
                let since = asker.since.load(Ordering::Relaxed);
                since == IDLE || since >= late
            });
            for _ in asking.len()..all {
                self.left.set(self.left.get().saturating_sub(patience));
                asking.extend(start(started));
                started += 1;
            }
        }
        let taken = |place: &Mutex<Option<A>>| place.lock().ok().and_then(|mut place| place.take());
        round.answers.iter().map(taken).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_questions() {
        let odd = |number: &i32| (number % 2 == 1).then_some(number * 2);
        let answers = Patience::new().each((0..1000).collect(), odd);
        assert_eq!(answers.len(), 1000);
        assert_eq!(answers[7], Some(14));
        assert_eq!(answers[8], None);
        assert_eq!(answers[999], Some(1998));
        assert_eq!(Patience::new().each(Vec::new(), odd), []);
    }

    #[test]
    fn who_does_not_answer_is_not_waited_for() {
        let patience = Patience::new();
        let (keep, silent) = mpsc::channel::<()>();
        let silent = Mutex::new(silent);
        // Far more than there are threads at a time come behind those that hold one up.
        let ask = move |number: &usize| {
            if matches!(number, 3 | 40) {
                let _ = silent.lock().map(|silent| silent.recv());
            }
            Some(*number)
        };
        let answers = patience.each((0..500).collect(), ask);
        let expected = |number| (!matches!(number, 3 | 40)).then_some(number);
        assert_eq!(answers, (0..500).map(expected).collect::<Vec<_>>());
        assert!(patience.left.get() + 2 * ONE <= ALL);
        drop(keep);
    }

    #[test]
    fn patience_has_an_end() {
        let patience = Patience::of(ONE, Duration::ZERO);
        let (keep, silent) = mpsc::channel::<()>();
        let silent = Mutex::new(silent);
        let ask = move |number: &usize| {
            if *number < 20 {
                let _ = silent.lock().map(|silent| silent.recv());
            }
            Some(*number)
        };
        let answers = patience.each((0..21).collect(), ask);
        assert_eq!(answers.iter().flatten().collect::<Vec<_>>(), [&20]);
        drop(keep);
    }
}
