//! A word of the table is never found written in a forked child.

use std::sync::atomic::Ordering::Relaxed;

use loom::sync::atomic::AtomicU32;
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::held_up_thrice;
use crate::clearing::Clearing;

struct Process {
    clearing: Clearing,
    word: AtomicU32,
    /// Whether the kernel clears it: known to the kernel, which makes one fork or follows one advice
    /// at a time.
    is_cleared: Mutex<bool>,
}

impl Process {
    fn write(&self) {
        self.clearing.is_on(|| {
            *self.is_cleared.lock().unwrap() = true;
            true
        });
        self.word.store(1, Relaxed);
    }
}

/// The word is copied before the advice is looked up: whatever is written in between is not in the copy.
#[test]
fn no_word_is_written_before_the_kernel_was_asked() {
    held_up_thrice(|| {
        let process = Arc::new(Process {
            clearing: Clearing::new(),
            word: AtomicU32::new(0),
            is_cleared: Mutex::new(false),
        });
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let process = Arc::clone(&process);
                thread::spawn(move || process.write())
            })
            .collect();
        let copied = process.word.load(Relaxed);
        let is_cleared = *process.is_cleared.lock().unwrap();
        assert!(copied == 0 || is_cleared, "a child inherits the word");
        for writer in writers {
            writer.join().unwrap();
        }
    });
}
