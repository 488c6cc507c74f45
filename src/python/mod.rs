//! The Python interpreter of this process, if there is one: what the guard does to it.
//!
//! Reading its stacks is [`crate::stack::python`]. Nothing here runs Python code, and nothing
//! here is called on a forked child's way to its report.

pub mod api;
pub mod torch;

/// Finds the interpreter, if one was loaded since. Calls the loader.
pub fn prepare() {
    crate::stack::python::prepare();
    api::prepare();
}

/// In a process that has initialised CUDA and is about to fork.
pub fn before_fork() {
    prepare();
    torch::watch();
}
