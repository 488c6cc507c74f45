//! What a template of no use becomes: a program of a few instructions that ends with the
//! template's program and does nothing else.
//!
//! It must not end before, for that would be a `SIGCHLD` out of nowhere; and it is not to hold
//! the memory of an interpreter with all its libraries meanwhile.

use alloc::vec::Vec;
use core::ffi::{CStr, c_char};

/// The one file that it has: the program's pidfd.
const PROGRAM: i32 = 3;

// Polls one descriptor, 3 (POLLIN is 1), again after EINTR (4), and exits with 0.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".pushsection .rodata.forkguard_sleeper,\"a\"",
    ".globl forkguard_sleeper_begin",
    ".hidden forkguard_sleeper_begin",
    ".globl forkguard_sleeper_end",
    ".hidden forkguard_sleeper_end",
    "forkguard_sleeper_begin:",
    "movabs rax, 0x100000003",
    "push rax",
    "2:",
    "mov rdi, rsp",
    "mov esi, 1",
    "mov edx, -1",
    "mov eax, 7",
    "syscall",
    "cmp eax, -4",
    "je 2b",
    "xor edi, edi",
    "mov eax, 231",
    "syscall",
    "forkguard_sleeper_end:",
    ".popsection",
);
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".pushsection .rodata.forkguard_sleeper,\"a\"",
    ".p2align 2",
    ".globl forkguard_sleeper_begin",
    ".hidden forkguard_sleeper_begin",
    ".globl forkguard_sleeper_end",
    ".hidden forkguard_sleeper_end",
    "forkguard_sleeper_begin:",
    "mov x9, #3",
    "movk x9, #1, lsl #32",
    "str x9, [sp, #-16]!",
    "2:",
    "mov x0, sp",
    "mov x1, #1",
    "mov x2, xzr",
    "mov x3, xzr",
    "mov x4, #8",
    "mov x8, #73",
    "svc #0",
    "cmn w0, #4",
    "b.eq 2b",
    "mov x0, xzr",
    "mov x8, #94",
    "svc #0",
    "forkguard_sleeper_end:",
    ".popsection",
);

unsafe extern "C" {
    #[link_name = "forkguard_sleeper_begin"]
    static BEGIN: u8;
    #[link_name = "forkguard_sleeper_end"]
    static END: u8;
}

/// Headers of an ELF program that is one segment.
const HEADERS: usize = 64 + 56;
const ADDRESS: u64 = 0x40_0000;
/// `EM_X86_64`, `EM_AARCH64`.
const MACHINE: u16 = if cfg!(target_arch = "aarch64") {
    183
} else {
    62
};

fn code() -> &'static [u8] {
    let (begin, end) = (&raw const BEGIN, &raw const END);
    // SAFETY: the bytes between the two labels above.
    unsafe { core::slice::from_raw_parts(begin, end as usize - begin as usize) }
}

fn image() -> Vec<u8> {
    let size = (HEADERS + code().len()) as u64;
    let entry = ADDRESS + HEADERS as u64;
    let mut image = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // An executable, of version 1.
    image.extend([2_u16, MACHINE].iter().flat_map(|half| half.to_le_bytes()));
    image.extend(1_u32.to_le_bytes());
    image.extend([entry, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
    image.extend(0_u32.to_le_bytes());
    image.extend(
        [64_u16, 56, 1, 0, 0, 0]
            .iter()
            .flat_map(|half| half.to_le_bytes()),
    );
    // PT_LOAD, readable and executable.
    image.extend([1_u32, 5].iter().flat_map(|half| half.to_le_bytes()));
    let segment = [0, ADDRESS, ADDRESS, size, size, 0x1_0000];
    image.extend(segment.iter().flat_map(|word| word.to_le_bytes()));
    image.extend(code());
    image
}

/// Becomes the sleeper, with `program` as the pidfd it waits for; a list of processes shows `why`.
/// `last` is done right before that. Comes back where this system does not execute it.
pub fn become_one(program: i32, why: &CStr, last: impl FnOnce()) {
    let image = image();
    // SAFETY: system calls on numbers, on a name, and on the image; the sleeper's file is closed
    // by executing it, and nobody else runs in this process.
    unsafe {
        let file = libc::memfd_create(c"forkguard-sleeper".as_ptr(), libc::MFD_CLOEXEC);
        if file < 0 {
            return;
        }
        let written = libc::write(file, image.as_ptr().cast(), image.len());
        let high = libc::fcntl(file, libc::F_DUPFD_CLOEXEC, PROGRAM + 1);
        if written != image.len() as isize || high < 0 {
            return;
        }
        // A copy of a copy: what a file is copied to stays open, unless it was the same number.
        if libc::dup2(program, file) < 0 || libc::dup2(file, PROGRAM) < 0 {
            return;
        }
        if file != PROGRAM {
            libc::close(file);
        }
        last();
        let arguments = [
            c"forkguard-sleeper".as_ptr(),
            why.as_ptr(),
            core::ptr::null(),
        ];
        let environment: [*const c_char; 1] = [core::ptr::null()];
        libc::syscall(
            libc::SYS_execveat,
            high,
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
}
