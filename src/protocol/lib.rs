//! What threads of a process, and processes of a family, do at once: the orders of steps that the
//! guard relies on, without what the steps are for.
//!
//! Each is atomics in memory that somebody else places, and knows nothing of CUDA, of the operating
//! system or of stacks: what a step is about is passed in. So a model can run the code itself in every
//! order that the machine allows (`model`, by `scripts/check-loom`).
//!
//! | file | what it is for |
//! |---|---|
//! | [`initialisation`] | several threads' first `cuInit` at once, and the one place that is told |
//! | [`forks`] | the records that forking threads claim, and those that a child inherits |
//! | [`early`] | what may be noted before there is anywhere to pass it on to |
//! | [`clearing`] | asking the kernel to clear a table in forked children, before its first word |
//! | [`standing`] | the word that says whether this process was forked from an initialised one |
//! | [`functions`] | the functions that were handed out, found by their addresses |
//! | [`tellers`] | which process of a family tells a cause, and who takes over when it is killed |
//! | [`turns`] | what threads of a process do by turns, until one has done it for good |
//! | [`sync`] | the atomics and cells, which a model has its own of |
//!
//! No lock, no allocation, no system call, no panic: most of it runs in forked children that may hold
//! any lock for ever. (Whoever takes turns is told how to wait.) Zeroed memory is a valid beginning of everything.
#![cfg_attr(not(any(test, loom)), no_std)]

pub mod clearing;
pub mod early;
pub mod forks;
pub mod functions;
pub mod initialisation;
#[cfg(all(test, loom))]
mod model;
pub mod standing;
pub mod sync;
pub mod tellers;
pub mod turns;

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
