//! The secret that an interpreter mixes into the hashes of texts. A fork has its parent's, so that
//! sets have the same order in both, and what is divided by `hash()` is divided alike; a fresh
//! interpreter would ask the kernel for another one.
//!
//! The parent leaves its secret in a variable, which is gone before the fresh process could see it;
//! there, the interpreter's first question for random bytes of that size gets it. One that asks the
//! kernel without the C library, or has `PYTHONHASHSEED`, is left alone.

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
    /// An environment with it; as it was where the seed is said there.
    ///
    /// # Safety
    /// `environment` ends with a null pointer, before which all are C strings.
    pub unsafe fn added_to(&self, environment: *const *const c_char) -> Vec<*const c_char> {
        let mut all = Vec::new();
        let mut said = false;
        let mut at = environment;
        // SAFETY: says the caller.
        unsafe {
            while !at.is_null() && !(*at).is_null() {
                let entry = CStr::from_ptr(*at).to_bytes();
                said |= entry
                    .strip_prefix(b"PYTHONHASHSEED=")
                    .is_some_and(|seed| !seed.is_empty() && seed != b"random");
                all.push(*at);
                at = at.add(1);
            }
        }
        if !said {
            all.push(self.0.as_ptr().cast());
        }
        all.push(core::ptr::null());
        all
    }
}

/// At load: takes what this process was given, if it was.
pub fn prepare() {
    // SAFETY: the constructor.
    let Some(text) = (unsafe { environment::take(VARIABLE) }) else {
        return;
    };
    // SAFETY: reads a table that the kernel made.
    if text.len() != 2 * SIZE || unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return;
    }
    let mut secret = [0; SIZE];
    for (byte, pair) in secret.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |at: u8| DIGITS.iter().position(|&known| known == at);
        let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
            return;
        };
        *byte = (high << 4 | low) as u8;
    }
    // SAFETY: the constructor, before the program has a thread.
    unsafe { *RECEIVED.0.get() = secret };
    WAITS.store(true, Ordering::Release);
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
