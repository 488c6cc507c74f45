//! The secret that an interpreter mixes into the hashes of texts. A fork has its parent's, so that
//! sets have the same order in both, and what is divided by `hash()` is divided alike; a fresh
//! interpreter would ask the kernel for another one.
//!
//! The parent leaves its secret in a variable, which is gone before the fresh process could see it;
//! there, the interpreter's first question for random bytes of that size gets it. One that asks the
//! kernel without the C library, or has `PYTHONHASHSEED`, is left alone; and so is whatever is no
//! interpreter, lest whoever makes its environment say what its random bytes are.

use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::sys::{elf, environment};

/// `sizeof(_Py_HashSecret_t)`, of all versions so far.
const SIZE: usize = 24;
const VARIABLE: &CStr = c"FORKGUARD_HASH_SECRET";
const NAME: &[u8] = b"FORKGUARD_HASH_SECRET=";
const DIGITS: &[u8; 16] = b"0123456789abcdef";

struct Place(UnsafeCell<[u8; SIZE]>);

// SAFETY: written by the constructor, before the program has a thread; only read after that.
unsafe impl Sync for Place {}

static RECEIVED: Place = Place(UnsafeCell::new([0; SIZE]));
static WAITS: AtomicBool = AtomicBool::new(false);

/// The variable for a fresh process, as an environment has it.
pub struct Variable([u8; NAME.len() + 2 * SIZE + 1]);

/// What this interpreter's fresh processes are to get, if it can be read.
pub fn variable() -> Option<Variable> {
    let (at, size) = elf::find_in_python_sized(c"_Py_HashSecret")?;
    if size != SIZE {
        return None;
    }
    let mut text = [0; NAME.len() + 2 * SIZE + 1];
    text[..NAME.len()].copy_from_slice(NAME);
    // SAFETY: the interpreter's variable, of that size, which it writes at its start alone.
    let secret = unsafe { *(at as *const [u8; SIZE]) };
    for (pair, byte) in text[NAME.len()..].chunks_exact_mut(2).zip(secret) {
        pair.copy_from_slice(&[
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ]);
    }
    Some(Variable(text))
}

impl Variable {
    /// Puts it among an environment's entries, unless the seed is said there.
    ///
    /// # Safety
    /// They are C strings.
    pub unsafe fn add_to(&self, entries: &mut Vec<*const c_char>) {
        let said = entries.iter().any(|&entry| {
            // SAFETY: says the caller.
            let entry = unsafe { CStr::from_ptr(entry) }.to_bytes();
            entry
                .strip_prefix(b"PYTHONHASHSEED=")
                .is_some_and(|seed| !seed.is_empty() && seed != b"random")
        });
        if !said {
            entries.push(self.0.as_ptr().cast());
        }
    }
}

/// At load: takes what this process was given, if it was.
pub fn prepare() {
    // SAFETY: the constructor.
    let Some(text) = (unsafe { environment::take(VARIABLE) }) else {
        return;
    };
    let secret = decoded(text);
    // It would stay to be read in /proc/PID/environ.
    // SAFETY: the string that the kernel put on this process's stack, which nobody else has: its
    // entry is gone, and the program has not begun.
    unsafe { core::ptr::write_bytes(text.as_ptr().cast_mut(), 0, text.len()) };
    // SAFETY: reads a table that the kernel made.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    let Some(secret) = secret.filter(|_| !secure) else {
        return;
    };
    if elf::find_in_python_sized(c"_Py_HashSecret").is_none_or(|(_, size)| size != SIZE) {
        return;
    }
    // SAFETY: the constructor, before the program has a thread.
    unsafe { *RECEIVED.0.get() = secret };
    WAITS.store(true, Ordering::Release);
}

pub(crate) fn decoded(text: &[u8]) -> Option<[u8; SIZE]> {
    let digit = |at: u8| DIGITS.iter().position(|&known| known == at);
    let mut secret = [0; SIZE];
    if text.len() != 2 * SIZE {
        return None;
    }
    for (byte, pair) in secret.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(secret)
}

/// Whether this question for random bytes was the interpreter's for its secret, and is answered.
///
/// # Safety
/// `buffer` has room for `length` bytes.
pub unsafe fn answers(buffer: *mut u8, length: usize) -> bool {
    if length != SIZE || !WAITS.load(Ordering::Relaxed) || !WAITS.swap(false, Ordering::Acquire) {
        return false;
    }
    // SAFETY: see `Place`; the caller says that there is room.
    unsafe { core::ptr::copy_nonoverlapping(RECEIVED.0.get().cast(), buffer, SIZE) };
    true
}
