//! The Python interpreter of this process, if there is one: what the guard does to it.
//!
//! Reading its stacks is [`crate::stack::python`]. Python code runs in a process that is about to
//! fork, under `exec` ([`adapter`]), and at the end of a fork in the child, under `cpu`
//! ([`absent`]); nothing here is called on a forked child's way to its report.

pub mod absent;
pub mod adapter;
pub mod api;
pub mod audit;
mod embedded;
pub mod hash_secret;
pub mod memory;
pub mod native;
mod pending;
pub mod spawn;
pub mod template;
pub mod torch;
mod torch_absent;
mod turn;

/// Finds the interpreter, if one was loaded since. Calls the loader.
pub fn prepare() {
    crate::stack::python::prepare();
    api::prepare();
}

/// In a process that has initialised CUDA and is about to fork, after [`prepare`]. Not in a signal's
/// handler: the interpreter is touched, and what the signal has interrupted may be in the middle of
/// its allocator, or have its locks.
pub fn before_fork() {
    torch::watch();
    audit::arm();
    absent::before_fork();
}
