//! The gate's machine code for x86-64 (System V ABI).
//!
//! A stub computes `trap + slot` and jumps there. Written as assembly because no Rust function
//! may stand between a caller and a callee whose signature nobody here knows: every argument
//! register passes through untouched, and the frames of the trap are gone before the callee runs.
//! The trap keeps the integer argument registers, `rax` (the count of vector registers of a
//! variadic call) and `xmm0`-`xmm7`; no driver function takes wider vectors.

use core::arch::global_asm;

use super::code::ANSWERS;
use super::slots::{CAPACITY, SLOTS};

/// Bytes from one stub to the next.
pub const STUB: usize = 32;
/// Bytes from one trap to the next.
pub const TRAP: usize = 16;

global_asm!(
    // Stubs: no frame of their own, the caller's return address on top of the stack.
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
    "lea r11, [rip + forkguard_traps + {trap} * .Lforkguard_index]",
    "add r11, qword ptr [rip + {slots} + 8 * .Lforkguard_index]",
    "jmp r11",
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
    "mov r11d, offset .Lforkguard_index",
    "jmp 2f",
    ".set .Lforkguard_index, .Lforkguard_index + 1",
    ".endr",
    "2:",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "and rsp, -16",
    "sub rsp, 192",
    "mov [rsp], rdi",
    "mov [rsp + 8], rsi",
    "mov [rsp + 16], rdx",
    "mov [rsp + 24], rcx",
    "mov [rsp + 32], r8",
    "mov [rsp + 40], r9",
    "mov [rsp + 48], rax",
    "mov [rsp + 56], r10",
    "movups [rsp + 64], xmm0",
    "movups [rsp + 80], xmm1",
    "movups [rsp + 96], xmm2",
    "movups [rsp + 112], xmm3",
    "movups [rsp + 128], xmm4",
    "movups [rsp + 144], xmm5",
    "movups [rsp + 160], xmm6",
    "movups [rsp + 176], xmm7",
    "mov edi, r11d",
    "mov rsi, rbp",
    "call {enter}",
    "mov r11, rax",
    "mov rdi, [rsp]",
    "mov rsi, [rsp + 8]",
    "mov rdx, [rsp + 16]",
    "mov rcx, [rsp + 24]",
    "mov r8, [rsp + 32]",
    "mov r9, [rsp + 40]",
    "mov rax, [rsp + 48]",
    "mov r10, [rsp + 56]",
    "movups xmm0, [rsp + 64]",
    "movups xmm1, [rsp + 80]",
    "movups xmm2, [rsp + 96]",
    "movups xmm3, [rsp + 112]",
    "movups xmm4, [rsp + 128]",
    "movups xmm5, [rsp + 144]",
    "movups xmm6, [rsp + 160]",
    "movups xmm7, [rsp + 176]",
    "leave",
    ".cfi_def_cfa rsp, 8",
    "jmp r11",
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
    "mov eax, offset .Lforkguard_index",
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
            "lea r11, [rip + forkguard_traps + {trap}]",
            "add r11, qword ptr [rip + {slots} + {slot}]",
            "jmp r11",
            trap = const crate::gate::arch::TRAP * $index,
            slots = sym crate::gate::slots::SLOTS,
            slot = const 8 * $index,
        )
    };
}
pub(crate) use stub_body;

/// The body of `dlsym` and `dlvsym`: names that cannot be the driver's (`cu…`), its other
/// libraries' (`NvE…`, `NvO…`), a plugin's (`GetP…`) or an extension module's (`PyI…`) go straight
/// to the true function `$real`, whose caller stays the program (`RTLD_NEXT` depends on it), or, where
/// that is not known yet, to `$first`; the rest ask `$slow`, which gets the return address as fourth
/// argument.
macro_rules! lookup_code {
    ($slow:path, $real:path, $first:path) => {
        ::core::arch::naked_asm!(
            ".cfi_startproc",
            "test rsi, rsi",
            "jz 3f",
            "movzx eax, byte ptr [rsi]",
            "cmp al, 99", // 'c'
            "jne 4f",
            "cmp byte ptr [rsi + 1], 117", // 'u'
            "jne 3f",
            "2:",
            "push rdi",
            ".cfi_def_cfa_offset 16",
            "push rsi",
            ".cfi_def_cfa_offset 24",
            "push rdx",
            ".cfi_def_cfa_offset 32",
            "mov rcx, [rsp + 24]",
            "call {slow}",
            "pop rdx",
            ".cfi_def_cfa_offset 24",
            "pop rsi",
            ".cfi_def_cfa_offset 16",
            "pop rdi",
            ".cfi_def_cfa_offset 8",
            "cmp rax, 1", // lookup::NOT_OURS
            "je 3f",
            "ret",
            "4:",
            "cmp al, 71", // 'G'
            "jne 5f",
            "cmp byte ptr [rsi + 1], 101", // 'e'
            "jne 3f",
            "cmp byte ptr [rsi + 2], 116", // 't'
            "jne 3f",
            "cmp byte ptr [rsi + 3], 80", // 'P'
            "je 2b",
            "5:",
            "cmp al, 78", // 'N'
            "jne 6f",
            "cmp byte ptr [rsi + 1], 118", // 'v'
            "jne 3f",
            "cmp byte ptr [rsi + 2], 69", // 'E'
            "je 2b",
            "cmp byte ptr [rsi + 2], 79", // 'O'
            "je 2b",
            "jmp 3f",
            "6:",
            "cmp al, 80", // 'P'
            "jne 3f",
            "cmp byte ptr [rsi + 1], 121", // 'y'
            "jne 3f",
            "cmp byte ptr [rsi + 2], 73", // 'I'
            "je 2b",
            "3:",
            "mov r11, qword ptr [rip + {real}]",
            "test r11, r11",
            "jz 7f",
            "jmp r11",
            "7:",
            "jmp {first}",
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
            "push rdi",
            ".cfi_def_cfa_offset 16",
            "push rsi",
            ".cfi_def_cfa_offset 24",
            "push rdx",
            ".cfi_def_cfa_offset 32",
            "call {resolve}",
            "pop rdx",
            ".cfi_def_cfa_offset 24",
            "pop rsi",
            ".cfi_def_cfa_offset 16",
            "pop rdi",
            ".cfi_def_cfa_offset 8",
            "jmp qword ptr [rip + {real}]",
            ".cfi_endproc",
            resolve = sym $crate::lookup::resolve,
            real = sym $real,
        )
    };
}
pub(crate) use first_code;
