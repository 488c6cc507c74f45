//! What a library keeps for each thread under keys of the C library's (`pthread_key_create`).
//!
//! libcuda does so. A driver that starts anew makes keys of its own, but under the old ones the
//! thread that forked still has what the parent's driver kept for it, and when that thread ends,
//! the library would be called to take it down. So it is forgotten. Which keys are a library's, the
//! C library's own table tells: by the function that is called at a thread's end. Where it does not
//! show the table (glibc before 2.34), such a thread's end is as it is.

use core::ffi::{c_uint, c_void};

use crate::sys::{elf, memory};

const WORD: usize = size_of::<usize>();
/// Bytes of an entry: how often the key was made and deleted, and the function.
const ENTRY: usize = 2 * WORD;
/// `PTHREAD_KEYS_MAX`.
const KEYS: usize = 1024;

/// Forgets what the calling thread has under keys whose function is one `of` the library's.
pub fn forget(of: impl Fn(usize) -> bool) {
    let Some((table, size)) = elf::find_in_libc(c"__pthread_keys") else {
        return;
    };
    if size != KEYS * ENTRY {
        return;
    }
    let mut reader = memory::Reader::default();
    for key in 0..KEYS {
        let function = reader.word(table + key * ENTRY + WORD);
        if function.is_some_and(&of) {
            // SAFETY: an existing key, or none, which is refused. A null pointer needs no memory.
            unsafe { libc::pthread_setspecific(key as c_uint, core::ptr::null::<c_void>()) };
        }
    }
}
