//! What a walk through a stack has to know of `AArch64`.
//!
//! A call leaves the return address in `x30`. A function that calls others keeps it on the stack; one
//! that does not has it there to its end, and a signal finds it there. A return address may be
//! signed, in bits that no address has; the signature is taken off and not looked at, so that it does
//! not matter where a signal has come between signing and the tables' word of it. The unwinder
//! checks signatures, and was seen to follow what the check makes of an address that fails it: it
//! must not get to what a signal interrupted.

use core::arch::asm;
use core::mem::offset_of;

use super::rules::Saved;
use super::walk::Registers;
use crate::sys::memory;

/// DWARF's numbers of the registers: `x29`, `sp`, and `x30`.
pub const FRAME_POINTER: u64 = 29;
pub const STACK_POINTER: u64 = 31;
pub const RETURN_ADDRESS: u64 = 30;
/// Where the return address is before the tables say a word.
pub const RETURNS_BY: Saved = Saved::Same;
/// Whether the unwinder goes on where a signal interrupted something.
pub const UNWINDER_PASSES_SIGNALS: bool = false;
/// Letters of a table's beginning that stand for nothing which a walk needs: return addresses are
/// signed by the other key, and the function's variables have tags.
pub const PLAIN_LETTERS: &[u8] = b"BG";
/// Codes of tables' programs that stand for nothing which a walk needs: from here on the return
/// address is signed, or no more (`negate_ra_state_with_pc`, `negate_ra_state`).
pub const PLAIN_CODES: &[u64] = &[0x2c, 0x2d];

/// What the kernel has a handler return to: `mov x8, #139` (`rt_sigreturn`) and `svc #0`. The tables
/// of most kernels say nothing of it, and unwinders know it by this.
const SIGNAL_RETURN: u64 = 0xd400_0001_d280_1168;

/// What the kernel leaves on the stack for a handler (`struct rt_sigframe`).
#[repr(C)]
struct SignalFrame {
    info: libc::siginfo_t,
    context: libc::ucontext_t,
}

/// In a signal frame, the registers of what was interrupted.
const REGISTERS: usize = offset_of!(SignalFrame, context.uc_mcontext.regs);
const STACK: usize = offset_of!(SignalFrame, context.uc_mcontext.sp);
const PC: usize = offset_of!(SignalFrame, context.uc_mcontext.pc);

/// The registers of the function that this is a part of.
#[inline(always)]
#[expect(clippy::inline_always, reason = "another function's are of no use")]
pub fn here() -> Registers {
    let (pc, stack, frame, link): (usize, usize, usize, usize);
    // SAFETY: reads four registers.
    unsafe {
        asm!(
            "adr {pc}, .",
            "mov {stack}, sp",
            "mov {frame}, x29",
            "mov {link}, x30",
            pc = out(reg) pc,
            stack = out(reg) stack,
            frame = out(reg) frame,
            link = out(reg) link,
            options(nomem, nostack, preserves_flags),
        );
    }
    Registers {
        pc,
        stack,
        frame,
        link: Some(link),
    }
}

/// The registers of what a signal interrupted, if `at` is what its handler returns to. Nothing is
/// taken for readable that the kernel does not say is.
pub fn interrupted(at: &Registers) -> Option<Registers> {
    let mut code = [0; 8];
    if !memory::read(at.pc, &mut code) || u64::from_le_bytes(code) != SIGNAL_RETURN {
        return None;
    }
    let word = |place: usize| memory::read_word(at.stack.checked_add(place)?);
    let register = |number: u64| word(REGISTERS + number as usize * size_of::<usize>());
    Some(Registers {
        pc: word(PC)?,
        stack: word(STACK)?,
        frame: register(FRAME_POINTER)?,
        link: Some(register(RETURN_ADDRESS)?),
    })
}

/// A return address without its signature.
pub fn plain(address: usize) -> usize {
    let plain;
    // SAFETY: `xpaclri`, written as the hint that it is to processors which sign nothing: changes x30
    // alone.
    unsafe {
        asm!(
            "hint #7",
            inout("x30") address => plain,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    plain
}

#[cfg(test)]
mod tests {
    use core::arch::global_asm;
    use core::cell::RefCell;
    use core::ffi::{c_int, c_void};

    use super::super::tests::by_rules;
    use super::super::{Stack, capture, in_handler};
    use crate::sys::elf;

    // Functions that are interrupted at each `brk`. Before each stands one whose tables end with
    // another rule, which is not theirs.
    global_asm!(
        ".pushsection .text,\"ax\",@progbits",
        ".macro forkguard_test_begin name",
        ".p2align 2",
        ".globl \\name",
        ".hidden \\name",
        ".type \\name, @function",
        ".cfi_startproc",
        ".cfi_def_cfa_offset 4096",
        ".cfi_undefined x30",
        "nop",
        ".cfi_endproc",
        "\\name:",
        ".endm",
        // Nothing on the stack, from the first instruction on.
        "forkguard_test_begin forkguard_test_leaf",
        ".cfi_startproc",
        "brk #1",
        "ret",
        ".cfi_endproc",
        // The return address is signed: of the first place the tables do not say so yet.
        "forkguard_test_begin forkguard_test_signed",
        ".cfi_startproc",
        "hint #25", // paciasp
        "brk #1",
        ".cfi_negate_ra_state",
        "brk #1",
        "hint #29", // autiasp
        "brk #1",
        ".cfi_negate_ra_state",
        "brk #1",
        "ret",
        ".cfi_endproc",
        // A frame: when it is made, when it is used, and when it is gone.
        "forkguard_test_begin forkguard_test_frame",
        ".cfi_startproc",
        "hint #25",
        ".cfi_negate_ra_state",
        "stp x29, x30, [sp, #-48]!",
        ".cfi_def_cfa_offset 48",
        ".cfi_offset x29, -48",
        ".cfi_offset x30, -40",
        "brk #1",
        "mov x29, sp",
        ".cfi_def_cfa_register x29",
        "sub sp, sp, #512",
        "brk #1",
        "mov sp, x29",
        ".cfi_def_cfa_register sp",
        "ldp x29, x30, [sp], #48",
        ".cfi_restore x29",
        ".cfi_restore x30",
        ".cfi_def_cfa_offset 0",
        "brk #1",
        "hint #29",
        ".cfi_negate_ra_state",
        "brk #1",
        "ret",
        ".cfi_endproc",
        // No tables.
        "forkguard_test_begin forkguard_test_untold",
        "brk #1",
        "ret",
        // A frame where no memory is.
        "forkguard_test_begin forkguard_test_nowhere",
        ".cfi_startproc",
        "mov x9, sp",
        "mov x10, #64",
        "mov sp, x10",
        ".cfi_def_cfa_offset 32",
        ".cfi_offset x30, -16",
        "brk #1",
        "mov sp, x9",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x30",
        "ret",
        ".cfi_endproc",
        ".purgem forkguard_test_begin",
        ".popsection",
    );

    unsafe extern "C" {
        fn forkguard_test_leaf();
        fn forkguard_test_signed();
        fn forkguard_test_frame();
        fn forkguard_test_untold();
        fn forkguard_test_nowhere();
    }

    std::thread_local! {
        /// Where this thread was interrupted, and its stack then, by turns.
        static SEEN: RefCell<Vec<(usize, Vec<usize>)>> = const { RefCell::new(Vec::new()) };
        /// How often the handler is to be interrupted itself.
        static DEEPER: RefCell<u32> = const { RefCell::new(0) };
    }

    extern "C" fn on_break(_signal: c_int, _info: *mut c_void, context: *mut c_void) {
        // SAFETY: what the kernel gives to a handler, which is this thread's alone.
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        let deeper = DEEPER.with_borrow_mut(|deeper| {
            let now = *deeper;
            *deeper = now.saturating_sub(1);
            now
        });
        if deeper > 0 {
            // SAFETY: comes back, having done nothing.
            unsafe { forkguard_test_signed() };
        }
        let frames = by_rules().expect("the unwinder does not get to what was interrupted");
        let mut stack = Box::new(Stack::EMPTY);
        capture(&mut stack);
        assert!(stack.native_len > 0 && stack.in_handler && in_handler());
        let pc = context.uc_mcontext.pc;
        SEEN.with_borrow_mut(|seen| seen.push((pc as usize, frames)));
        // After the `brk`.
        context.uc_mcontext.pc = pc + 4;
    }

    /// Runs a test whose handlers run on a stack of their own of `size` bytes; where it is 0, on the
    /// thread's, and not on the small one that the standard library gives each thread.
    fn with_handlers_on(size: usize, test: impl FnOnce()) {
        elf::prepare();
        let mut place = vec![0u8; size];
        let mut stack = |flags| libc::stack_t {
            ss_sp: place.as_mut_ptr().cast(),
            ss_flags: flags,
            ss_size: size,
        };
        let set = |stack: &libc::stack_t| {
            // SAFETY: memory that nothing else has, until nothing runs there any more.
            let done = unsafe { libc::sigaltstack(stack, core::ptr::null_mut()) };
            assert_eq!(done, 0);
        };
        set(&stack(if size == 0 { libc::SS_DISABLE } else { 0 }));
        // SAFETY: a handler as `SA_SIGINFO` has it, for a signal that nothing here has but a `brk`.
        let done = unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = on_break as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigaction(libc::SIGTRAP, &raw const action, core::ptr::null_mut())
        };
        assert_eq!(done, 0);
        test();
        set(&stack(libc::SS_DISABLE));
    }

    /// Where `function` was interrupted, and what was seen above that place; and this function's own
    /// callers.
    #[inline(never)]
    fn interrupt(function: unsafe extern "C" fn()) -> (Vec<Vec<usize>>, Vec<usize>) {
        // SAFETY: comes back, having done nothing.
        unsafe { function() };
        let seen = SEEN.take().into_iter().map(|(pc, frames)| {
            let above = frames.iter().rposition(|&frame| frame == pc);
            frames[above.expect("it is on the stack")..].to_vec()
        });
        let own = by_rules().expect("ordinary code");
        let here = interrupt as *const () as usize;
        let in_here = own
            .iter()
            .position(|&frame| frame.wrapping_sub(here) < 0x1000);
        (
            seen.collect(),
            own[in_here.expect("called from here") + 1..].to_vec(),
        )
    }

    fn assert_seen(function: unsafe extern "C" fn(), times: usize) {
        let (seen, callers) = interrupt(function);
        assert_eq!(seen.len(), times);
        for frames in seen {
            // Where it was, where its caller goes on, and whoever called that.
            assert!(frames[1].wrapping_sub(interrupt as *const () as usize) < 0x1000);
            assert_eq!(frames[2..], callers);
        }
    }

    #[test]
    fn whatever_a_signal_interrupts_has_its_callers() {
        // The second time by what is known.
        for size in [0, 1 << 20] {
            with_handlers_on(size, || {
                assert_seen(forkguard_test_leaf, 1);
                assert_seen(forkguard_test_signed, 4);
                assert_seen(forkguard_test_frame, 4);
            });
        }
    }

    #[test]
    fn handlers_inside_each_other() {
        with_handlers_on(0, || {
            DEEPER.set(5);
            let (seen, callers) = interrupt(forkguard_test_leaf);
            // Each of the handlers was interrupted four times, and the innermost says so first.
            assert_eq!(seen.len(), 5 * 4 + 1);
            for frames in seen {
                assert!(frames.ends_with(&callers));
            }
        });
    }

    #[test]
    fn what_leads_nowhere_ends_the_stack() {
        with_handlers_on(1 << 20, || {
            for function in [forkguard_test_untold, forkguard_test_nowhere] {
                let (seen, _) = interrupt(function);
                assert_eq!(seen[0].len(), 1);
            }
        });
    }
}
