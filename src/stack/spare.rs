//! A stack for reports that are made where there is hardly any: in a signal's handler, on the stack
//! that its program gave to handlers.
//!
//! Only there: the kernel says how much room such a stack has, and a report takes some 16 KiB. Static
//! memory, of which nothing is touched before it is needed; one thread at a time has it.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;

/// Bytes of it: a report's, and those of a handler that interrupts it.
const SIZE: usize = 64 * 1024;

#[repr(C, align(16))]
struct Spare(UnsafeCell<[u8; SIZE]>);

// SAFETY: touched only as the stack of the one thread that `with_room` is for.
unsafe impl Sync for Spare {}

static SPARE: Spare = Spare(UnsafeCell::new([0; SIZE]));

/// Does `work`: on the spare stack, where this is a stack for handlers that has less room.
///
/// # Safety
/// No other thread of this process is in here.
pub unsafe fn with_room<Work: FnOnce()>(work: Work) {
    let Some(handlers) = narrow() else {
        return work();
    };
    let mut work = Some(|| {
        // Elsewhere than on it, the kernel counts the handlers' stack as free, and would lay the
        // next signal over those who wait here.
        let none = libc::stack_t {
            ss_flags: libc::SS_DISABLE,
            ..handlers
        };
        let again = libc::stack_t {
            ss_flags: 0,
            ..handlers
        };
        // SAFETY: reads what it is given; the same stack is put back as it was.
        unsafe { libc::sigaltstack(&raw const none, core::ptr::null_mut()) };
        work();
        // SAFETY: as above.
        unsafe { libc::sigaltstack(&raw const again, core::ptr::null_mut()) };
    });
    // SAFETY: as the caller says.
    unsafe { on_spare(&mut work) };
}

/// Does `work` on the spare stack.
///
/// # Safety
/// As [`with_room`]'s.
unsafe fn on_spare<Work: FnOnce()>(work: &mut Option<Work>) {
    unsafe extern "C" fn run<Work: FnOnce()>(work: *mut c_void) {
        // SAFETY: what is passed on below, which nobody else has meanwhile.
        if let Some(work) = unsafe { (*work.cast::<Option<Work>>()).take() } {
            work();
        }
    }
    let top = SPARE.0.get().wrapping_add(1).cast();
    // SAFETY: `run` takes what it is given by its type, and comes back; the stack is nobody else's,
    // as the caller says, and aligned.
    unsafe { switch((&raw mut *work).cast(), run::<Work>, top) };
}

/// The stack for handlers, where this thread is on it and it has less room than the spare one.
fn narrow() -> Option<libc::stack_t> {
    // SAFETY: plain numbers and a pointer, for which zero is a value.
    let mut handlers: libc::stack_t = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: a place for the answer.
    let asked = unsafe { libc::sigaltstack(core::ptr::null(), &raw mut handlers) };
    let is_on_it = asked == 0 && handlers.ss_flags & libc::SS_ONSTACK != 0;
    let room = (&raw const handlers)
        .addr()
        .wrapping_sub(handlers.ss_sp.addr());
    (is_on_it && room < SIZE).then_some(handlers)
}

type Run = unsafe extern "C" fn(*mut c_void);

/// Calls `run` with `work` on the stack that ends at `top`. The frame is found by its own pointer,
/// so that stacks are walked from the one to the other.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn switch(work: *mut c_void, run: Run, top: *mut c_void) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdx",
        "call rsi",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// See above.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn switch(work: *mut c_void, run: Run, top: *mut c_void) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "hint #34", // bti c
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x29, sp",
        ".cfi_def_cfa_register x29",
        "mov sp, x2",
        "blr x1",
        "mov sp, x29",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa sp, 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "ret",
        ".cfi_endproc",
    )
}
