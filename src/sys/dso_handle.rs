//! The address by which `atexit` tells whose handler it is.
//!
//! It comes from a file that the compiler would add to the library (`crtbegin`), with a word that is
//! written to nowhere and still is a page and a mapping of its own; build.rs leaves that file out. Any
//! address in the library will do.

core::arch::global_asm!(
    ".pushsection .rodata.__dso_handle,\"a\",@progbits",
    ".p2align 3",
    ".globl __dso_handle",
    ".hidden __dso_handle",
    ".type __dso_handle, @object",
    "__dso_handle:",
    ".zero 8",
    ".size __dso_handle, 8",
    ".popsection",
);
