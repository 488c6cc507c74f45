//! A stack of ordinary code, walked by rules that are known from the last time.
//!
//! The unwinder reads the tables of every frame anew, each time, which for a deep stack costs more
//! than all else that is done at a fork. Whatever it does not find ordinary, this leaves to the
//! unwinder: on x86-64 signal frames, too, while on `AArch64` it goes on with what was interrupted,
//! and ends where that leads no further.

use super::arch;
use super::objects::Objects;
use crate::sys::memory;

/// Bytes of the largest frame that is ordinary.
const LARGEST: usize = 8 << 20;
/// Signal handlers inside each other: a stack that has more of them leads in a circle.
const HANDLERS: u32 = 64;

/// What is known of one function on the stack.
pub struct Registers {
    /// Where it goes on.
    pub pc: usize,
    /// The stack pointer.
    pub stack: usize,
    /// The frame pointer.
    pub frame: usize,
    /// The register in which its caller left the return address, where that is the way, and as long
    /// as it has not called another function.
    pub link: Option<usize>,
}

/// Goes up the calling thread's stack, from this function's caller on, as long as `each` says so: it
/// gets the addresses to which the calls return, where on the stack the function begins that
/// one lies in, and whether that called nobody but was interrupted. Answers false where the stack is the unwinder's, perhaps halfway.
#[inline(never)]
pub fn walk(mut each: impl FnMut(usize, usize, bool) -> bool) -> bool {
    let mut at = arch::here();
    let mut objects = Objects::default();
    // Of this function, and of what a signal interrupted, `pc` is where it goes on; of callers it is
    // after the call.
    let mut after_call = 0;
    let mut handlers = 0;
    loop {
        let Some(rule) = objects.rule(at.pc.wrapping_sub(after_call)) else {
            match arch::interrupted(&at) {
                Some(interrupted) if handlers < HANDLERS => at = interrupted,
                // What a signal interrupted is not the unwinder's.
                _ => return handlers > 0,
            }
            (after_call, handlers) = (0, handlers + 1);
            if !each(at.pc, at.stack, true) {
                return true;
            }
            continue;
        };
        if rule.is_last() {
            return true;
        }
        let frame = rule.frame(at.frame, at.stack);
        // A function that has not called another may have nothing on the stack.
        let calls = at.link.is_none() || rule.return_address().is_some();
        let size = frame.wrapping_sub(at.stack);
        if size < usize::from(calls) || size > LARGEST || !frame.is_multiple_of(size_of::<usize>())
        {
            return handlers > 0;
        }
        let saved = |before: usize| {
            let place = frame.wrapping_sub(before);
            if handlers > 0 {
                // Between two instructions tables may tell what is not so.
                return memory::read_word(place);
            }
            // SAFETY: a word of the calling thread's own stack, where the tables say that the
            // caller's is: there the unwinder reads, too.
            Some(unsafe { (place as *const usize).read() })
        };
        let caller = match rule.return_address() {
            Some(place) => saved(place),
            None => at.link,
        };
        let base = match rule.frame_pointer() {
            Some(place) => saved(place),
            None => Some(at.frame),
        };
        let (Some(caller), Some(base)) = (caller, base) else {
            return handlers > 0;
        };
        if caller == 0 {
            return true;
        }
        at = Registers {
            pc: arch::plain(caller),
            stack: frame,
            frame: base,
            link: None,
        };
        after_call = 1;
        if !each(at.pc, at.stack, false) {
            return true;
        }
    }
}
