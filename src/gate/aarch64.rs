//! The gate's machine code for `AArch64` (AAPCS64).
//!
//! A stub computes `trap + slot` and jumps there, in `x16` and `x17`, which the ABI leaves to code
//! that stands between a caller and its callee. Written as assembly because no Rust function may
//! stand there when nobody knows the signature: every argument register passes through untouched,
//! and the frames of the trap are gone before the callee runs. The trap keeps the integer argument
//! registers, `x8` (where a returned structure goes) and `q0`-`q7`; no driver function takes
//! scalable vectors. The return address stays in `x30`, so that the callee sees its caller.
//!
//! Each place that is jumped to begins with `bti c` (written as the hint it is, which older
//! processors pass over), so that the linker may mark the library for branch protection.

use core::arch::global_asm;

use super::code::ANSWERS;
use super::slots::{CAPACITY, SLOTS};

/// Bytes from one stub to the next.
pub const STUB: usize = 32;
/// Bytes from one trap to the next.
pub const TRAP: usize = 16;

global_asm!(
    // Stubs: no frame of their own, the caller's return address in x30.
    ".pushsection .text.forkguard_stubs,\"ax\",@progbits",
    ".p2align 5",
    ".globl forkguard_stubs",
    ".hidden forkguard_stubs",
    ".type forkguard_stubs, @function",
    "forkguard_stubs:",
    ".cfi_startproc",
    ".set .Lforkguard_index, 0",
    ".rept {capacity}",
    ".p2align 5",
    "hint #34", // bti c
    "adrp x16, forkguard_traps + {trap} * .Lforkguard_index",
    "add x16, x16, :lo12:forkguard_traps + {trap} * .Lforkguard_index",
    "adrp x17, {slots} + 8 * .Lforkguard_index",
    "ldr x17, [x17, :lo12:{slots} + 8 * .Lforkguard_index]",
    "add x16, x16, x17",
    "br x16",
    ".set .Lforkguard_index, .Lforkguard_index + 1",
    ".endr",
    ".cfi_endproc",
    ".size forkguard_stubs, . - forkguard_stubs",
    // Traps: each names its slot and joins the common part.
    ".p2align 5",
    ".globl forkguard_traps",
    ".hidden forkguard_traps",
    ".type forkguard_traps, @function",
    "forkguard_traps:",
    ".cfi_startproc",
    ".set .Lforkguard_index, 0",
    ".rept {capacity}",
    ".p2align 4",
    "hint #34", // bti c
    "movz w16, #.Lforkguard_index",
    "b 2f",
    ".set .Lforkguard_index, .Lforkguard_index + 1",
    ".endr",
    "2:",
    "stp x29, x30, [sp, #-224]!", // the `Frame` that `enter` is given
    ".cfi_def_cfa_offset 224",
    ".cfi_offset x29, -224",
    ".cfi_offset x30, -216",
    "mov x29, sp",
    ".cfi_def_cfa_register x29",
    "stp x0, x1, [sp, #16]",
    "stp x2, x3, [sp, #32]",
    "stp x4, x5, [sp, #48]",
    "stp x6, x7, [sp, #64]",
    "str x8, [sp, #80]",
    "stp q0, q1, [sp, #96]",
    "stp q2, q3, [sp, #128]",
    "stp q4, q5, [sp, #160]",
    "stp q6, q7, [sp, #192]",
    "mov w0, w16",
    "mov x1, sp",
    "bl {enter}",
    "mov x16, x0",
    "ldp x0, x1, [sp, #16]",
    "ldp x2, x3, [sp, #32]",
    "ldp x4, x5, [sp, #48]",
    "ldp x6, x7, [sp, #64]",
    "ldr x8, [sp, #80]",
    "ldp q0, q1, [sp, #96]",
    "ldp q2, q3, [sp, #128]",
    "ldp q4, q5, [sp, #160]",
    "ldp q6, q7, [sp, #192]",
    "ldp x29, x30, [sp], #224",
    ".cfi_def_cfa sp, 0",
    ".cfi_restore x29",
    ".cfi_restore x30",
    "br x16",
    ".cfi_endproc",
    ".size forkguard_traps, . - forkguard_traps",
    // Functions that give one answer: `answers + 16 * code`.
    ".p2align 4",
    ".globl forkguard_answers",
    ".hidden forkguard_answers",
    ".type forkguard_answers, @function",
    "forkguard_answers:",
    ".cfi_startproc",
    ".set .Lforkguard_index, 0",
    ".rept {answers}",
    ".p2align 4",
    "hint #34", // bti c
    "movz w0, #.Lforkguard_index",
    "ret",
    ".set .Lforkguard_index, .Lforkguard_index + 1",
    ".endr",
    ".cfi_endproc",
    ".size forkguard_answers, . - forkguard_answers",
    ".popsection",
    capacity = const CAPACITY,
    trap = const TRAP,
    slots = sym SLOTS,
    enter = sym super::enter,
    answers = const ANSWERS,
);

/// The body of an exported driver function: the stub of slot `$index`, in place.
macro_rules! stub_body {
    ($index:literal) => {
        ::core::arch::naked_asm!(
            "hint #34", // bti c
            "adrp x16, forkguard_traps + {trap}",
            "add x16, x16, :lo12:forkguard_traps + {trap}",
            "adrp x17, {slots} + {slot}",
            "ldr x17, [x17, :lo12:{slots} + {slot}]",
            "add x16, x16, x17",
            "br x16",
            trap = const crate::gate::arch::TRAP * $index,
            slots = sym crate::gate::slots::SLOTS,
            slot = const 8 * $index,
        )
    };
}
pub(crate) use stub_body;

/// The body of `dlsym` and `dlvsym`: names that cannot be the driver's (`cu…`), its other
/// libraries' (`NvE…`, `NvO…`), a plugin's (`GetP…`) or an extension module's (`PyI…`) go straight
/// to the true function `$real`, whose caller stays the program (`RTLD_NEXT` depends on it); the
/// rest ask `$slow`, which gets the return address as fourth argument.
macro_rules! lookup_code {
    ($slow:path, $real:path, $first:path) => {
        ::core::arch::naked_asm!(
            ".cfi_startproc",
            "hint #34", // bti c
            "cbz x1, 3f",
            "ldrb w16, [x1]",
            "cmp w16, #99", // 'c'
            "b.ne 4f",
            "ldrb w16, [x1, #1]",
            "cmp w16, #117", // 'u'
            "b.ne 3f",
            "2:",
            "stp x29, x30, [sp, #-48]!",
            ".cfi_def_cfa_offset 48",
            ".cfi_offset x29, -48",
            ".cfi_offset x30, -40",
            "mov x29, sp",
            "stp x0, x1, [sp, #16]",
            "str x2, [sp, #32]",
            "mov x3, x30",
            "bl {slow}",
            "mov x16, x0",
            "ldp x0, x1, [sp, #16]",
            "ldr x2, [sp, #32]",
            "ldp x29, x30, [sp], #48",
            ".cfi_def_cfa_offset 0",
            ".cfi_restore x29",
            ".cfi_restore x30",
            "cmp x16, #1", // lookup::NOT_OURS
            "b.eq 3f",
            "mov x0, x16",
            "ret",
            "4:",
            "cmp w16, #71", // 'G'
            "b.ne 5f",
            "ldrb w16, [x1, #1]",
            "cmp w16, #101", // 'e'
            "b.ne 3f",
            "ldrb w16, [x1, #2]",
            "cmp w16, #116", // 't'
            "b.ne 3f",
            "ldrb w16, [x1, #3]",
            "cmp w16, #80", // 'P'
            "b.eq 2b",
            "5:",
            "cmp w16, #78", // 'N'
            "b.ne 6f",
            "ldrb w16, [x1, #1]",
            "cmp w16, #118", // 'v'
            "b.ne 3f",
            "ldrb w16, [x1, #2]",
            "cmp w16, #69", // 'E'
            "b.eq 2b",
            "cmp w16, #79", // 'O'
            "b.eq 2b",
            "b 3f",
            "6:",
            "cmp w16, #80", // 'P'
            "b.ne 3f",
            "ldrb w16, [x1, #1]",
            "cmp w16, #121", // 'y'
            "b.ne 3f",
            "ldrb w16, [x1, #2]",
            "cmp w16, #73", // 'I'
            "b.eq 2b",
            "3:",
            "adrp x16, {real}",
            "ldr x16, [x16, :lo12:{real}]",
            "cbz x16, 7f",
            "br x16",
            "7:",
            "b {first}",
            ".cfi_endproc",
            slow = sym $slow,
            real = sym $real,
            first = sym $first,
        )
    };
}
pub(crate) use lookup_code;

/// Where `$real` is not known yet: finds it, then goes there with the
/// caller's arguments and return address.
macro_rules! first_code {
    ($real:path) => {
        ::core::arch::naked_asm!(
            ".cfi_startproc",
            "hint #34", // bti c
            "stp x29, x30, [sp, #-48]!",
            ".cfi_def_cfa_offset 48",
            ".cfi_offset x29, -48",
            ".cfi_offset x30, -40",
            "mov x29, sp",
            "stp x0, x1, [sp, #16]",
            "str x2, [sp, #32]",
            "bl {resolve}",
            "ldp x0, x1, [sp, #16]",
            "ldr x2, [sp, #32]",
            "ldp x29, x30, [sp], #48",
            ".cfi_def_cfa_offset 0",
            ".cfi_restore x29",
            ".cfi_restore x30",
            "adrp x16, {real}",
            "ldr x16, [x16, :lo12:{real}]",
            "br x16",
            ".cfi_endproc",
            resolve = sym $crate::lookup::resolve,
            real = sym $real,
        )
    };
}
pub(crate) use first_code;
