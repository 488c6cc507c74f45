//! What this process says of itself in its family's record, for whoever looks from outside.
//!
//! Runs where CUDA is initialised, and in forked children, at the fork and at what they do with CUDA:
//! no lock, no heap, and, at a fork, no system call but those that ask who this is. (Once a family
//! has had more children than it keeps places for, it also takes asking which of them are gone.)

use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};

use forkguard_record::{Forked, Initialised, Record, State};

use crate::config;
use crate::family::record;
use crate::gate::slots;
use crate::lineage::{self, FORKS_GIVEN, Fork, Moment};
use crate::report::buffer::Buffer;
use crate::report::place;
use crate::sys::raw::{self, ErrnoGuard};

/// In [`slots::recorded_word`]: there is no slot for this process, and it does not need one.
const NONE: u32 = u32::MAX;
/// Bytes of a fork's place, and of an initialisation's, as they are made.
const FORK_PLACE: usize = 512;
const PLACE: usize = 1280;

/// Told apart from the pid namespaces of this family's other processes by this number; 0 is that of
/// the process that initialised CUDA. Inherited.
static NAMESPACE: AtomicU32 = AtomicU32::new(0);

/// A family begins with this process, which initialised CUDA at `at`.
pub fn begin(at: &Moment) {
    slots::recorded_word().store(NONE, Ordering::Relaxed);
    NAMESPACE.store(0, Ordering::Relaxed);
    if let Some(record) = record() {
        write(record, at);
        if lineage::has_context() {
            record.note_context();
        }
    }
}

#[inline(never)]
fn write(record: &Record, at: &Moment) {
    let mut room = [0; PLACE];
    let mut lines = Buffer::new(&mut room);
    place::lines(&mut lines, at);
    let mut chain = [0; 96];
    let mut policy = Buffer::new(&mut chain);
    for (i, step) in config::get().chain().iter().enumerate() {
        policy.put(format_args!(
            "{}{}",
            if i > 0 { "," } else { "" },
            step.name()
        ));
    }
    record.begin(&Initialised {
        version: env!("CARGO_PKG_VERSION"),
        pid: at.pid,
        tid: at.tid,
        thread: at.thread(),
        unix_ns: at.unix_ns,
        boot_ns: raw::clock_ns(libc::CLOCK_BOOTTIME),
        namespace: namespace(),
        function: at.function(),
        caller: at.caller as u64,
        native: native(at),
        policy: policy.since(0),
        place: lines.since(0),
    });
}

/// This process created a context.
pub fn note_context() {
    if lineage::initialised_here()
        && let Some(record) = record()
    {
        record.note_context();
    }
}

/// In a forked child: this fork made it.
pub fn forked(fork: &Fork) {
    let _errno = ErrnoGuard::new();
    if let Some(record) = record() {
        claim(record, Some(fork));
    }
}

/// This forked child was served so, or is about to end.
pub fn served(state: State) {
    if let Some(record) = record()
        && let Some(index) = here(record)
    {
        record.set_state(index, state);
    }
}

/// This forked child used CUDA, which is reported.
pub fn violation(state: State) {
    if let Some(record) = record() {
        let index = here(record);
        record.add_violation(index);
        if let Some(index) = index {
            record.set_state(index, state);
        }
    }
}

/// The slot of this forked process, which has none yet where its fork was not seen, or while it is
/// still inside of it.
fn here(record: &Record) -> Option<usize> {
    match slots::recorded_word().load(Ordering::Relaxed) {
        0 => {
            let mut found: [Option<&'static Fork>; FORKS_GIVEN] = [None; FORKS_GIVEN];
            let count = lineage::forks(&mut found);
            let last = found[..count].last().copied().flatten();
            claim(record, last.filter(|_| lineage::was_forked_here()))
        }
        NONE => None,
        known => Some(known as usize - 1),
    }
}

fn claim(record: &Record, fork: Option<&Fork>) -> Option<usize> {
    let word = slots::recorded_word();
    // Of two threads one claims; the other goes without.
    if word
        .compare_exchange(0, NONE, Ordering::AcqRel, Ordering::Relaxed)
        .is_err()
    {
        return None;
    }
    let pid = raw::getpid();
    let now = raw::clock_ns(libc::CLOCK_BOOTTIME);
    // A process whose parent has no number where it is itself is the first to be there.
    // SAFETY: the call takes no argument and cannot fail.
    if unsafe { libc::getppid() } == 0 {
        NAMESPACE.store((now as u32 ^ pid as u32) | 1, Ordering::Relaxed);
    }
    let index = record.claim(pid, NAMESPACE.load(Ordering::Relaxed), is_alive)?;
    describe(record, index, pid, now, fork);
    word.store(index as u32 + 1, Ordering::Relaxed);
    Some(index)
}

#[inline(never)]
fn describe(record: &Record, index: usize, pid: i32, now: u64, fork: Option<&Fork>) {
    let mut room = [0; FORK_PLACE];
    let mut lines = Buffer::new(&mut room);
    let mut child = Forked {
        pid,
        namespace: NAMESPACE.load(Ordering::Relaxed),
        before_ns: now,
        ..Forked::default()
    };
    if let Some(Fork { at, .. }) = fork {
        place::lines(&mut lines, at);
        let since = raw::clock_ns(libc::CLOCK_MONOTONIC).saturating_sub(at.monotonic_ns);
        child.parent = at.pid;
        child.unix_ns = at.unix_ns;
        child.after_ns = now.saturating_sub(since);
        child.function = at.function();
        child.native = native(at);
    } else {
        child.unix_ns = raw::clock_ns(libc::CLOCK_REALTIME);
    }
    child.place = lines.since(0);
    record.describe(index, &child);
}

/// The program's innermost frames.
fn native<const LEN: usize>(at: &Moment) -> [u64; LEN] {
    let mut frames = at.stack.native().iter();
    core::array::from_fn(|_| frames.next().map_or(0, |&address| address as u64))
}

/// The inode of this process's pid namespace.
fn namespace() -> u64 {
    // SAFETY: plain numbers, for which zero is a value.
    let mut about: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: a C string, and a place for the answer.
    let asked = unsafe {
        libc::syscall(
            libc::SYS_newfstatat,
            libc::AT_FDCWD,
            c"/proc/self/ns/pid".as_ptr(),
            &raw mut about,
            0,
        )
    };
    if asked == 0 { about.st_ino } else { 0 }
}

fn is_alive(pid: c_int) -> bool {
    // SAFETY: no signal is sent, it is only asked whether there is somebody.
    let asked = raw::checked(unsafe { libc::syscall(libc::SYS_kill, pid, 0) });
    asked != Err(libc::ESRCH)
}
