//! The operating system, as hooks may use it: raw, without locks, without allocation.

pub mod command_line;
pub mod descriptors;
#[cfg(not(any(test, fuzzing)))]
mod dso_handle;
pub mod elf;
pub mod environment;
#[cfg(not(any(test, fuzzing)))]
mod heap;
pub mod imports;
#[cfg(all(not(test), target_arch = "x86_64"))]
mod kernel_calls;
pub mod maps;
pub mod memory;
pub mod modules;
#[cfg(not(any(test, fuzzing)))]
mod panic;
pub mod process_lock;
pub mod program;
pub mod quiet;
pub mod raw;
pub mod rights;
pub mod signals;
pub mod spawn;
pub mod thread;
