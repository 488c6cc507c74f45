//! Whether a process is on its way out: then everything is teardown, and nobody is to be killed
//! by the destructors it inherited.
//!
//! Seen from the stack: a thread inside the C library's `exit`, or inside Python's
//! `Py_FinalizeEx`, has a return address there. So no `atexit` handler has to be registered in
//! the child (which takes a lock that may be held for ever, and comes too late for a raw
//! `clone`), and it holds for exactly the thread that is exiting.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::stack::python;
use crate::sys::{elf, memory, thread};

/// How far up a stack is searched, bytes.
const REACH: usize = 8 << 20;
const PIECE: usize = 4096;

static EXIT_START: AtomicUsize = AtomicUsize::new(0);
static EXIT_END: AtomicUsize = AtomicUsize::new(0);

/// Finds `exit`. Called where the loader may be asked.
pub fn prepare() {
    if EXIT_END.load(Ordering::Acquire) == 0
        && let Some((start, size)) = elf::find_in_libc(c"exit")
    {
        EXIT_START.store(start, Ordering::Relaxed);
        // The call of the handlers is `exit`'s last instruction: it returns to the byte after.
        EXIT_END.store(start + size.max(1), Ordering::Release);
    }
}

/// Whether the calling thread, whose stack continues at `stack`, is exiting.
pub fn is_exiting(stack: usize) -> bool {
    if python::is_finalizing() {
        return true;
    }
    let exit = (EXIT_START.load(Ordering::Relaxed), EXIT_END.load(Ordering::Acquire));
    let finalize = python::finalize_range().unwrap_or((0, 0));
    let returns_into = |word: usize, (start, end): (usize, usize)| word > start && word <= end;
    search(stack, |word| returns_into(word, exit) || returns_into(word, finalize))
}

fn search(stack: usize, wanted: impl Fn(usize) -> bool) -> bool {
    let mut address = stack & !(size_of::<usize>() - 1);
    let mut end = address.saturating_add(REACH);
    // The stacks that glibc makes for threads end at the thread's control block; what lies
    // behind is another thread's.
    let control = thread::control_block();
    if control > address && control < end {
        end = control;
    }
    let mut piece = [0usize; PIECE / size_of::<usize>()];
    while address < end {
        // Whole pages, so that the last mapped one is read to its end.
        let bytes = (PIECE - address % PIECE).min(end - address);
        let words = bytes / size_of::<usize>();
        // SAFETY: `words` words of `piece` as bytes: any bytes are valid words.
        let buffer = unsafe {
            core::slice::from_raw_parts_mut(piece.as_mut_ptr().cast::<u8>(), words * 8)
        };
        if words == 0 || !memory::read(address, buffer) {
            return false;
        }
        if piece[..words].iter().any(|&word| wanted(word)) {
            return true;
        }
        address += bytes;
    }
    false
}
