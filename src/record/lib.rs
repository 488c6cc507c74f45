//! The record: what a family of processes knows of its use of CUDA, in memory that they share and
//! that somebody else may read.
//!
//! A family is a process that initialised CUDA and all that were forked from it. The record lies in
//! a memfd that its members have mapped; it dies with the last of them. It says where CUDA was
//! initialised, and in a slot for each forked child where the fork was and what became of it.
//!
//! | file | what it is for |
//! |---|---|
//! | [`layout`] | where each field is |
//! | [`write`](mod@write) | the members' side: no lock, no allocation, no system call |
//! | [`read`] | the reader's side, who trusts none of it |
//! | `sync` | the atomics, which a model has its own of |
//!
//! A slot is taken and written by the parent, before the fork: there it costs least. The child adds
//! its number.
//!
//! What is written once is complete before its mark is set. A slot is written again when the process
//! that had it is gone; its sequence number is odd meanwhile.
#![cfg_attr(not(any(test, loom)), no_std)]

pub mod layout;
#[cfg(all(test, loom))]
mod model;
pub mod read;
mod sync;
pub mod write;

use core::ffi::CStr;

pub use layout::{FORK_NATIVE, NATIVE, Record, SLOTS};
pub use read::{Snapshot, Unreadable};

/// What the memfd is called.
pub const NAME: &CStr = c"forkguard";
/// What its descriptors and mappings are called in `/proc`.
pub const PATH: &str = "/memfd:forkguard (deleted)";

/// The process that initialised CUDA, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Initialised<'a> {
    /// The version of the guard.
    pub version: &'a str,
    /// The process, as its own pid namespace numbers it.
    pub pid: i32,
    /// The thread that called.
    pub tid: i32,
    /// Its name.
    pub thread: &'a str,
    /// When, in nanoseconds since the epoch.
    pub unix_ns: u64,
    /// When, in nanoseconds since the machine was started.
    pub boot_ns: u64,
    /// The inode of its pid namespace; 0 where it is unknown.
    pub namespace: u64,
    /// The function that initialised.
    pub function: &'a str,
    /// The address to which the call returned: of the library through which it came.
    pub caller: u64,
    /// The policies, the first to be asked first, separated by commas.
    pub policy: &'a str,
    /// Where: a frame of Python a line, the program's own innermost one first.
    pub place: &'a str,
    /// Where in native code: return addresses, innermost first, ended by 0. What lies there the maps
    /// of the process say; finding it out in the process itself would cost it more.
    pub native: [u64; NATIVE],
}

/// A fork, as its parent tells of it before it makes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forked<'a> {
    /// The parent, as its own pid namespace numbers it; 0 where the fork was not seen.
    pub parent: i32,
    /// When, in nanoseconds since the epoch.
    pub unix_ns: u64,
    /// The child began after this, in nanoseconds since the machine was started.
    pub after_ns: u64,
    /// The function that forked; empty where the fork was not seen.
    pub function: &'a str,
    /// Where: a frame of Python a line, the program's own innermost one first.
    pub place: &'a str,
    /// Where in native code: return addresses, innermost first, ended by 0.
    pub native: [u64; FORK_NATIVE],
}

/// The right to a slot: who is to be alive for it to be kept, by a number that this pid namespace
/// gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The number by which a family tells this namespace from its other ones; 0 is that of the
    /// process that initialised CUDA.
    pub namespace: u32,
    /// The process.
    pub pid: i32,
}

impl Owner {
    fn word(self) -> u64 {
        u64::from(self.namespace) << 32 | u64::from(self.pid as u32)
    }
}

/// What a forked child has done with CUDA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Unused,
    /// Used it, and goes on: the calls fail.
    Warned,
    /// Used it, and is about to end for it.
    Ending,
    /// Used it, and goes on without.
    Absent,
    /// Used it, and has a driver of its own: it begins a family.
    Revived,
}

impl State {
    const ALL: [Self; 5] = [
        Self::Unused,
        Self::Warned,
        Self::Ending,
        Self::Absent,
        Self::Revived,
    ];

    const fn code(self) -> u32 {
        match self {
            Self::Unused => 0,
            Self::Warned => 1,
            Self::Ending => 2,
            Self::Absent => 3,
            Self::Revived => 4,
        }
    }

    fn of(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
