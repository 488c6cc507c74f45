//! Native stacks: return addresses, by rules of its own, and where these do not lead on, as the C
//! library's unwinder finds them.
//!
//! Where glibc finds unwind tables without a lock (`_dl_find_object`, 2.35) a stack may be taken
//! anywhere. On an older one the unwinder takes the loader's lock, which a forked child may never
//! get: there [`is_safe`] says no, and who asks must be ready to end the process.

use core::ffi::{c_int, c_void};

#[cfg_attr(target_arch = "x86_64", path = "native/x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "native/aarch64.rs")]
mod arch;
mod build;
mod known;
mod objects;
mod rule;
mod rules;
mod walk;

use super::{NATIVE_FRAMES, Stack};
use crate::sys::elf;

/// What the unwinder knows of a frame; it is its own.
#[repr(C)]
struct Frame {
    _opaque: [u8; 0],
}

/// `_URC_NO_REASON`, `_URC_NORMAL_STOP`: go on, or not.
const GO_ON: c_int = 0;
const STOP: c_int = 4;

// The C++ ABI's unwinder, which build.rs links in.
unsafe extern "C" {
    fn _Unwind_Backtrace(
        each: unsafe extern "C" fn(*mut Frame, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIPInfo(frame: *mut Frame, interrupted: *mut c_int) -> usize;
    fn _Unwind_GetCFA(frame: *mut Frame) -> usize;
}

/// Whether a stack can be taken in a forked child.
pub fn is_safe() -> bool {
    elf::finds_without_lock()
}

/// Takes the calling thread's stack, without this library's own frames.
pub fn capture(into: &mut Stack) {
    if rules_first() {
        let mut taken = Taken::new(into);
        if walk::walk(|address, _, interrupted| taken.add(address, interrupted)) {
            return;
        }
    }
    let mut taken = Taken::new(into);
    by_unwinder(|address, _, interrupted| taken.add(address, interrupted));
}

/// Whether the calling thread is in a signal's handler.
pub fn in_handler() -> bool {
    let mut found = false;
    let mut look = |_, _, interrupted| {
        found = interrupted;
        !found
    };
    if !rules_first() || !walk::walk(&mut look) {
        by_unwinder(look);
    }
    found
}

fn rules_first() -> bool {
    is_safe() || !arch::UNWINDER_PASSES_SIGNALS
}

/// A stack that is being taken.
struct Taken<'a> {
    into: &'a mut Stack,
    outside: bool,
}

impl<'a> Taken<'a> {
    fn new(into: &'a mut Stack) -> Self {
        into.native_len = 0;
        into.in_handler = false;
        Self {
            into,
            outside: false,
        }
    }

    /// Adds the next frame outwards, unless it is this library's; false when there is no more room.
    /// Whether it was `interrupted`, by a signal whose handler the frames before are.
    fn add(&mut self, address: usize, interrupted: bool) -> bool {
        self.into.in_handler |= interrupted;
        self.outside |= !elf::is_ours(address);
        if self.outside
            && address != 0
            && let Some(place) = self.into.native.get_mut(self.into.native_len)
        {
            *place = address;
            self.into.native_len += 1;
        }
        self.into.native_len < NATIVE_FRAMES
    }
}

/// Goes up the calling thread's stack as long as `each` says so: it gets the address at which each
/// frame goes on, and where on the stack that frame begins. It may get the innermost frames
/// twice.
pub fn walk<Each: FnMut(usize, usize) -> bool>(mut each: Each) {
    let mut each = |address, frame, _| each(address, frame);
    if arch::UNWINDER_PASSES_SIGNALS || !walk::walk(&mut each) {
        by_unwinder(each);
    }
}

fn by_unwinder<Each: FnMut(usize, usize, bool) -> bool>(mut each: Each) {
    unsafe extern "C" fn visit<Each: FnMut(usize, usize, bool) -> bool>(
        frame: *mut Frame,
        each: *mut c_void,
    ) -> c_int {
        // SAFETY: what is passed on below, which nobody else has meanwhile.
        let each = unsafe { &mut *each.cast::<Each>() };
        let mut interrupted = 0;
        // SAFETY: the frame that the unwinder shows just now, and a place for the answer.
        let (address, end) = unsafe {
            (
                _Unwind_GetIPInfo(frame, &raw mut interrupted),
                _Unwind_GetCFA(frame),
            )
        };
        if each(address, end, interrupted != 0) {
            GO_ON
        } else {
            STOP
        }
    }
    // SAFETY: calls `visit` with frames of this thread, and comes back; any number of threads may.
    unsafe { _Unwind_Backtrace(visit::<Each>, (&raw mut each).cast()) };
}

/// The address that called into this library.
pub fn caller(stack: &Stack) -> usize {
    stack.native().first().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn by_rules() -> Option<Vec<usize>> {
        let mut frames = Vec::new();
        let whole = super::walk::walk(|address, _, _| {
            frames.push(address);
            true
        });
        whole.then_some(frames)
    }

    fn as_the_unwinder() -> Vec<usize> {
        let mut frames = Vec::new();
        by_unwinder(|address, _, _| {
            frames.push(address);
            true
        });
        frames.retain(|&address| address != 0);
        frames
    }

    /// Both ways, from one function: but for its own place, and what it calls, they are the same.
    #[inline(never)]
    fn assert_same() -> usize {
        let (rules, unwinder) = (by_rules().expect("ordinary code"), as_the_unwinder());
        let pairs = rules.iter().rev().zip(unwinder.iter().rev());
        let same = pairs.take_while(|(left, right)| left == right).count();
        assert!(same + 3 >= rules.len(), "{rules:x?}\n{unwinder:x?}");
        assert!(same + 9 >= unwinder.len(), "{rules:x?}\n{unwinder:x?}");
        same
    }

    #[inline(never)]
    fn deeper(frames: usize) -> usize {
        let seen = if frames > 0 {
            deeper(frames - 1)
        } else {
            assert_same()
        };
        // What comes after the call keeps the frame.
        core::hint::black_box(seen)
    }

    extern "C" fn compare(left: *const core::ffi::c_void, right: *const core::ffi::c_void) -> i32 {
        assert_same();
        left.addr().cmp(&right.addr()) as i32
    }

    #[test]
    fn as_the_unwinder_has_it() {
        elf::prepare();
        // The second time by what is known.
        for _ in 0..2 {
            assert!(deeper(100) >= 100);
        }
    }

    #[test]
    fn through_the_c_library_and_in_a_thread() {
        elf::prepare();
        let thread = std::thread::spawn(|| {
            let mut numbers = [3, 1, 2];
            // SAFETY: three numbers, and a function that compares their places.
            unsafe { libc::qsort(numbers.as_mut_ptr().cast(), 3, 4, Some(compare)) };
            assert_same()
        });
        assert!(thread.join().is_ok());
    }
}
