//! forkguard: names who initialised CUDA, who forked, and who used it.
//!
//! A library to preload. It stands before the fork family, `dlsym` and the CUDA driver; in a
//! forked child of a process that had initialised CUDA it reports the first use of CUDA and does
//! what `FORKGUARD_POLICY` says.
//!
//! The rooms, from the outside in:
//!
//! | room | what it is for |
//! |---|---|
//! | `exports` | the C symbols, and nothing else |
//! | [`lookup`] | what `dlsym` answers for the driver's names |
//! | [`gate`] | the stubs, the table that the kernel clears, the trap, the call classes |
//! | [`lineage`] | what this process knows of CUDA: initialised where, forked where |
//! | [`stack`] | native and Python stacks in fixed memory |
//! | [`policy`] | what happens when CUDA is used in a forked process |
//! | [`report`] | what is said about it: text, JSON, advice, where it goes |
//! | [`revive`] | the driver's data, saved and put back |
//! | [`python`] | what the guard does to the interpreter: watches torch's own refusal, rewrites forks |
//! | [`semaphores`] | anonymous semaphores that a fresh process can map |
//! | [`template`] | the fresh interpreter that is kept ready, and its copies |
//! | [`trace`] | what only the command that watches a program is told |
//! | [`siblings`] | what the processes of one family share |
//! | [`family`] | the memory in which a family's record lies |
//! | [`record`] | what is said there of this process, for whoever looks from outside |
//! | [`config`] | the variables and the file |
//! | [`describe`] | what the guard says of itself when it is asked |
//! | [`sys`] | the operating system, as hooks may use it |
//!
//! Two rules hold in every room. The child of a multithreaded process may hold any lock for
//! ever: nothing on the way to the first line of a report locks, allocates, or calls the loader.
//! And a panic must not cross into C: the library is built with `panic = "abort"`.
//!
//! The library is linked without Rust's standard library, whose way to end a panic (reading its own
//! debug information) would be a third of what every process loads.
#![cfg_attr(not(any(test, fuzzing)), no_std)]
#![cfg_attr(
    any(test, fuzzing),
    allow(
        dead_code,
        unused_macros,
        unused_imports,
        reason = "unit tests leave the exports out, and with them most callers"
    )
)]

extern crate alloc;

pub mod config;
pub mod describe;
#[cfg(not(any(test, fuzzing)))]
mod exports;
pub mod family;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod gate;
pub mod lineage;
pub mod lookup;
pub mod policy;
pub mod python;
pub mod record;
pub mod report;
pub mod revive;
pub mod semaphores;
pub mod siblings;
pub mod stack;
pub mod sys;
pub mod template;
pub mod trace;

/// Before `main`: the configuration, the true functions. Nothing that needs a heap.
#[cfg(not(any(test, fuzzing)))]
#[ctor::ctor(unsafe)]
fn load() {
    config::load();
    report::scene::remember();
    policy::replace::prepare();
    policy::entry::fresh::prepare();
    python::hash_secret::prepare();
    sys::rights::prepare();
    policy::prepare();
    // SAFETY: the resolver needs nothing; here it runs before the program has threads.
    unsafe { lookup::resolve() };
    exports::process::prepare();
    exports::wait::prepare();
    exports::image::prepare();
    exports::random::prepare();
    trace::loaded();
}
