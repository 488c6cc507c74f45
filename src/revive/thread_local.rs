//! A thread's own copy of a library's thread-local variables.
//!
//! libcuda has none; another library of the driver may. Where a thread's copy is, the C library's
//! table of the thread says, unless the library got room in what every thread begins with: then its
//! copy lies as far from the thread's control block in every thread, and the table may not say it.
//! Both are read as they lie in memory: `__tls_get_addr` would make a copy where there is none,
//! with the loader's lock and the heap.

use core::ffi::{c_int, c_void};

use crate::sys::elf::{self, Object, ThreadLocal};
use crate::sys::{memory, thread};

const WORD: usize = size_of::<usize>();
/// Bytes of an entry of a thread's table (`dtv_t`, part of glibc's ABI with debuggers).
const ENTRY: usize = 2 * WORD;
/// Where the thread's control block holds the table's address.
const TABLE_AT: usize = if cfg!(target_arch = "x86_64") {
    WORD
} else {
    0
};
/// `RTLD_DI_TLS_MODID` (`dlfcn.h`).
const MODULE_NUMBER: c_int = 9;
/// What an entry holds for a copy that was not made.
const NOT_MADE: usize = usize::MAX;

/// A library that has such variables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Module {
    /// The number by which the C library knows it.
    number: usize,
    /// How far from a thread's control block its copy lies, where that is the same for all.
    distance: Option<usize>,
}

impl Module {
    /// Asks the loader, and makes this thread's copy: for the parent's side only.
    pub fn of(object: &Object) -> Option<Self> {
        type Dlinfo = unsafe extern "C" fn(*mut c_void, c_int, *mut c_void) -> c_int;
        type TlsGetAddr = unsafe extern "C" fn(*const [usize; 2]) -> *mut c_void;
        let (dlinfo, _) = elf::find_in_libc(c"dlinfo")?;
        let (copy_of, _) = elf::find_in_libc(c"__tls_get_addr")?;
        // SAFETY: the C library's `dlinfo`.
        let dlinfo: Dlinfo = unsafe { core::mem::transmute(dlinfo) };
        // SAFETY: the loader's `__tls_get_addr`.
        let copy_of: TlsGetAddr = unsafe { core::mem::transmute(copy_of) };
        let mut number = 0_usize;
        // SAFETY: the loader's record of an object that is loaded is its handle; `number` is what
        // this question writes.
        let answer = unsafe {
            dlinfo(
                object.handle as *mut c_void,
                MODULE_NUMBER,
                (&raw mut number).cast(),
            )
        };
        if answer != 0 || number == 0 {
            return None;
        }
        // SAFETY: the number of a loaded object, and the beginning of its variables.
        let copy = unsafe { copy_of(&[number, 0]) } as usize;
        let (_, to_free) = entry(number)?;
        Some(Self {
            number,
            // What is to be freed at the thread's end was made for that thread.
            distance: (to_free == 0).then(|| copy.wrapping_sub(thread::control_block())),
        })
    }

    /// Where the calling thread's copy is, if there is one.
    fn of_this_thread(self) -> Option<usize> {
        if let Some(distance) = self.distance {
            return Some(thread::control_block().wrapping_add(distance));
        }
        let (copy, _) = entry(self.number)?;
        (copy != 0 && copy != NOT_MADE).then_some(copy)
    }

    /// Makes the calling thread's copy what a new thread's is.
    ///
    /// # Safety
    /// `variables` are those of the loaded library that has this number, and no code of it runs in
    /// this thread.
    pub unsafe fn start_anew(self, variables: &ThreadLocal) {
        let Some(copy) = self.of_this_thread() else {
            return;
        };
        let initial = variables.initial as *const u8;
        // SAFETY: the copy is the thread's own and has that size; the bytes it starts with lie in
        // the library.
        unsafe {
            core::ptr::copy_nonoverlapping(initial, copy as *mut u8, variables.initial_size);
            core::ptr::write_bytes(
                (copy + variables.initial_size) as *mut u8,
                0,
                variables.size - variables.initial_size,
            );
        }
    }
}

/// What the calling thread's table says of a library: where the copy is, and what is to be freed
/// for it.
fn entry(number: usize) -> Option<(usize, usize)> {
    let table = memory::read_word(thread::control_block() + TABLE_AT)?;
    let entries = memory::read_word(table.checked_sub(ENTRY)?)?;
    if number > entries {
        return None;
    }
    let entry = table + number * ENTRY;
    Some((memory::read_word(entry)?, memory::read_word(entry + WORD)?))
}
