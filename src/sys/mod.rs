//! The operating system, as hooks may use it: raw, without locks, without allocation.

pub mod elf;
pub mod memory;
pub mod modules;
pub mod raw;
pub mod thread;
