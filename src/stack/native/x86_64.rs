//! What a walk through a stack has to know of x86-64.

use core::arch::asm;

use super::rules::Saved;
use super::walk::Registers;

/// DWARF's numbers of the registers: `rbp`, `rsp`, and where a function goes on in its caller.
pub const FRAME_POINTER: u64 = 6;
pub const STACK_POINTER: u64 = 7;
pub const RETURN_ADDRESS: u64 = 16;
/// Where the return address is before the tables say a word: a call leaves it on the stack, of which
/// they tell.
pub const RETURNS_BY: Saved = Saved::Computed;
/// Whether the unwinder goes on where a signal interrupted something.
pub const UNWINDER_PASSES_SIGNALS: bool = true;
/// Letters of a table's beginning that stand for nothing which a walk needs.
pub const PLAIN_LETTERS: &[u8] = &[];
/// Codes of tables' programs that stand for nothing which a walk needs.
pub const PLAIN_CODES: &[u64] = &[];

/// The registers of the function that this is a part of.
#[inline(always)]
#[expect(clippy::inline_always, reason = "another function's are of no use")]
pub fn here() -> Registers {
    let (pc, stack, frame): (usize, usize, usize);
    // SAFETY: reads three registers.
    unsafe {
        asm!(
            "lea {pc}, [rip]",
            "mov {stack}, rsp",
            "mov {frame}, rbp",
            pc = out(reg) pc,
            stack = out(reg) stack,
            frame = out(reg) frame,
            options(nomem, nostack, preserves_flags),
        );
    }
    Registers {
        pc,
        stack,
        frame,
        link: None,
    }
}

/// The registers of what a signal interrupted, if `at` is what its handler returns to: signal frames
/// are the unwinder's.
pub fn interrupted(_at: &Registers) -> Option<Registers> {
    None
}

/// A return address as it lies on the stack.
pub fn plain(address: usize) -> usize {
    address
}

#[cfg(test)]
mod tests {
    use super::super::tests::by_rules;
    use super::super::{Stack, capture, in_handler};
    use crate::sys::elf;

    extern "C" fn on_signal(_signal: i32) {
        assert_eq!(by_rules(), None, "a signal frame is no ordinary one");
        let mut stack = Box::new(Stack::EMPTY);
        capture(&mut stack);
        assert!(stack.native_len > 0 && stack.in_handler && in_handler());
    }

    #[test]
    fn a_signal_frame_is_the_unwinders() {
        elf::prepare();
        // SAFETY: a handler that takes a signal's number, for a signal that nobody here uses.
        unsafe {
            libc::signal(libc::SIGUSR2, on_signal as *const () as libc::sighandler_t);
            libc::raise(libc::SIGUSR2);
            libc::signal(libc::SIGUSR2, libc::SIG_DFL);
        }
    }
}
