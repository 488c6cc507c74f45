//! Where the machine code of [`super::arch`] stands: stubs, traps, and functions of one answer.

use super::arch::{STUB, TRAP};
use super::slots::CAPACITY;

/// Codes that [`answer`] can give: 0 to 999 covers every `CUresult`.
pub const ANSWERS: usize = 1000;
/// Bytes from one such function to the next.
const ANSWER: usize = 16;

unsafe extern "C" {
    safe static forkguard_stubs: [u8; CAPACITY * STUB];
    safe static forkguard_traps: [u8; CAPACITY * TRAP];
    safe static forkguard_answers: [u8; ANSWERS * ANSWER];
}

/// The stub of slot `index`.
pub fn stub(index: usize) -> usize {
    forkguard_stubs.as_ptr() as usize + index * STUB
}

/// The trap of slot `index`.
pub fn trap(index: usize) -> usize {
    forkguard_traps.as_ptr() as usize + index * TRAP
}

/// A function that takes any arguments and returns `code` (999, unknown error, for codes out of
/// range).
pub fn answer(code: u32) -> usize {
    forkguard_answers.as_ptr() as usize + (code as usize).min(ANSWERS - 1) * ANSWER
}
