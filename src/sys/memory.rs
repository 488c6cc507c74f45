//! Reads of this process's own memory that do not fault, whatever address is asked for.
//!
//! A page is proven readable by having the kernel read from it: `rt_sigprocmask` with an
//! impossible `how` copies the new mask in, then refuses; it answers `EFAULT` for memory that
//! cannot be read and `EINVAL` for memory that can. `process_vm_readv` would copy and prove in
//! one call, but the system-call filters of hardened services end the process for it
//! (systemd's `@system-service` lacks it), and it costs more than a probe a page. No filter ends
//! a process for `rt_sigprocmask`.
//!
//! Between the proof and the read another thread could unmap the page. Callers read what the
//! calling thread keeps alive; the proof is for what may turn out not to be what it seems.
//!
//! This module may not allocate, lock, or call the loader, and leaves `errno` alone.

#[cfg(fuzzing)]
mod fuzz;

use core::ffi::c_int;
#[cfg(not(fuzzing))]
use core::ptr::{copy, read_volatile};
use core::sync::atomic::{AtomicU8, Ordering};
#[cfg(not(fuzzing))]
use libc::memcmp;

use super::raw::ErrnoGuard;
#[cfg(fuzzing)]
use fuzz::{copy, memcmp, read_volatile};

/// The smallest page there is; where pages are larger, each is proven in several parts.
const PAGE: usize = 4096;
/// What one probe reads: the kernel's signal mask.
const PROBE: usize = 8;
/// Proven pages that a [`Reader`] remembers.
const REMEMBERED: usize = 64;

/// Whether the probe tells readable from unreadable here: 0 not tried, else one of the two below.
static PROBE_STATE: AtomicU8 = AtomicU8::new(0);
const PROBE_WORKS: u8 = 1;
const PROBE_USELESS: u8 = 2;

/// Copies `into.len()` bytes from `address`; false (and `into` perhaps partly written) where
/// they cannot all be read.
pub fn read(address: usize, into: &mut [u8]) -> bool {
    Reader::default().read(address, into)
}

/// The word at `address`.
pub fn read_word(address: usize) -> Option<usize> {
    let mut bytes = [0u8; size_of::<usize>()];
    read(address, &mut bytes).then(|| usize::from_ne_bytes(bytes))
}

/// Many reads in a row: remembers which pages are proven, so that each is probed once.
///
/// It is for one short look: what it remembers is true only as long as nothing is unmapped.
pub struct Reader {
    /// Page numbers, each in the place its low bits give; 0 for none (nobody maps page 0).
    proven: [usize; REMEMBERED],
}

impl Default for Reader {
    /// A reader that has proven nothing yet.
    fn default() -> Self {
        Self {
            proven: [0; REMEMBERED],
        }
    }
}

impl Reader {
    /// Copies `into.len()` bytes from `address`; false (and `into` perhaps partly written) where
    /// they cannot all be read.
    pub fn read(&mut self, mut address: usize, mut into: &mut [u8]) -> bool {
        while !into.is_empty() {
            if !self.is_readable(address) {
                return false;
            }
            let here = into.len().min(PAGE - address % PAGE);
            let (now, later) = into.split_at_mut(here);
            // SAFETY: the kernel has just read from this page, and `here` bytes from `address`
            // end within it. `now` is a Rust buffer of that length; should the two overlap
            // (somebody reads the buffer itself), `copy` allows it.
            unsafe { copy(address as *const u8, now.as_mut_ptr(), here) };
            let Some(next) = address.checked_add(here) else {
                return later.is_empty();
            };
            (address, into) = (next, later);
        }
        true
    }

    /// Copies as [`read`](Self::read) does, without writing what stands in `into` already. Answers
    /// whether anything was written; `None` where not all can be read.
    pub fn read_over(&mut self, mut address: usize, mut into: &mut [u8]) -> Option<bool> {
        let mut differs = false;
        while !into.is_empty() {
            if !self.is_readable(address) {
                return None;
            }
            let here = into.len().min(PAGE - address % PAGE);
            let (now, later) = into.split_at_mut(here);
            // SAFETY: the kernel has just read from this page, and `here` bytes from `address`
            // end within it; `now` is a Rust buffer of that length, which `copy` lets overlap.
            unsafe {
                let from = address as *const u8;
                if memcmp(from.cast(), now.as_ptr().cast(), here) != 0 {
                    copy(from, now.as_mut_ptr(), here);
                    differs = true;
                }
            }
            let Some(next) = address.checked_add(here) else {
                return later.is_empty().then_some(differs);
            };
            (address, into) = (next, later);
        }
        Some(differs)
    }

    /// The pointer-sized field at `address`; `None` also where no such field can be because the
    /// address is not aligned.
    #[inline]
    pub fn word(&mut self, address: usize) -> Option<usize> {
        if !address.is_multiple_of(align_of::<usize>()) || !self.is_readable(address) {
            return None;
        }
        // SAFETY: aligned, so all of it lies in the page that the kernel has just read from.
        // Volatile, because the program's other threads may write there.
        Some(unsafe { read_volatile(address as *const usize) })
    }

    /// The byte at `address`.
    #[inline]
    pub fn byte(&mut self, address: usize) -> Option<u8> {
        if !self.is_readable(address) {
            return None;
        }
        // SAFETY: the kernel has just read from this page; volatile as in `word`.
        Some(unsafe { read_volatile(address as *const u8) })
    }

    #[inline]
    fn is_readable(&mut self, address: usize) -> bool {
        let page = address / PAGE;
        let known = &mut self.proven[page % REMEMBERED];
        if *known == page && page != 0 {
            return true;
        }
        let readable = page != 0 && probe_works() && probe(address) == Some(true);
        if readable {
            *known = page;
        }
        readable
    }
}

/// Whether probes can be believed: asked once, of an address that can never be read and of one
/// that can. Emulators and system-call filters may answer something else altogether.
fn probe_works() -> bool {
    match PROBE_STATE.load(Ordering::Relaxed) {
        PROBE_WORKS => true,
        PROBE_USELESS => false,
        _ => {
            let here = 0usize;
            let works =
                probe(usize::MAX) == Some(false) && probe((&raw const here).addr()) == Some(true);
            let state = if works { PROBE_WORKS } else { PROBE_USELESS };
            PROBE_STATE.store(state, Ordering::Relaxed);
            works
        }
    }
}

/// Has the kernel read the eight aligned bytes around `address`.
fn probe(address: usize) -> Option<bool> {
    const IMPOSSIBLE: c_int = -1;
    let _errno = ErrnoGuard::new();
    // SAFETY: the kernel checks the address itself. No operation is called -1, so the thread's
    // signal mask stays as it is; nothing is written, for the old mask is not asked for.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            IMPOSSIBLE,
            address & !(PROBE - 1),
            core::ptr::null_mut::<u8>(),
            PROBE,
        )
    };
    // SAFETY: `__errno_location` always returns this thread's valid `errno`.
    match (answer, unsafe { *libc::__errno_location() }) {
        (-1, libc::EINVAL) => Some(true),
        (-1, libc::EFAULT) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pages, the second of which cannot be read.
    struct Edge(*mut u8);

    impl Edge {
        fn new() -> Self {
            // SAFETY: a new anonymous mapping, and a part of it protected.
            unsafe {
                let at = libc::mmap(
                    core::ptr::null_mut(),
                    2 * PAGE,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                    -1,
                    0,
                );
                assert_ne!(at, libc::MAP_FAILED);
                assert_eq!(libc::mprotect(at.byte_add(PAGE), PAGE, libc::PROT_NONE), 0);
                Self(at.cast())
            }
        }
    }

    impl Drop for Edge {
        fn drop(&mut self) {
            // SAFETY: the mapping of `new`, which nobody uses any more.
            unsafe { libc::munmap(self.0.cast(), 2 * PAGE) };
        }
    }

    #[test]
    fn reads_what_is_there() {
        let text = *b"a text that is longer than one word";
        let mut copy = [0; 35];
        assert!(read(text.as_ptr().addr(), &mut copy));
        assert_eq!(copy, text);
        let word = 0x1234_5678_usize;
        assert_eq!(read_word((&raw const word).addr()), Some(word));
    }

    #[test]
    fn what_stands_there_is_not_written() {
        let text = *b"the same text, the same text";
        let mut reader = Reader::default();
        let mut copy = [0; 28];
        assert_eq!(
            reader.read_over(text.as_ptr().addr(), &mut copy),
            Some(true)
        );
        assert_eq!(copy, text);
        assert_eq!(
            reader.read_over(text.as_ptr().addr(), &mut copy),
            Some(false)
        );
        let edge = Edge::new();
        let end = edge.0.addr() + PAGE;
        assert_eq!(reader.read_over(end - 8, &mut copy), None);
    }

    #[test]
    fn refuses_what_cannot_be_read() {
        for address in [
            0,
            8,
            4096,
            usize::MAX,
            usize::MAX - 7,
            0x8000_0000_0000_0000,
        ] {
            assert_eq!(read_word(address), None, "{address:#x}");
            assert_eq!(Reader::default().byte(address), None, "{address:#x}");
        }
    }

    #[test]
    fn stops_at_the_edge_of_a_mapping() {
        let edge = Edge::new();
        let end = edge.0.addr() + PAGE;
        let mut two = [1u8; 2];
        assert!(read(end - 2, &mut two));
        assert_eq!(two, [0, 0]);
        assert!(!read(end - 1, &mut two));
        assert!(!read(end, &mut two));
        assert_eq!(Reader::default().word(end - 8), Some(0));
        assert_eq!(Reader::default().word(end - 4), None);
    }

    #[test]
    fn leaves_errno_alone() {
        // SAFETY: this thread's own `errno`.
        unsafe { *libc::__errno_location() = 42 };
        assert_eq!(read_word(8), None);
        // SAFETY: as above.
        assert_eq!(unsafe { *libc::__errno_location() }, 42);
    }
}
