//! What this command was started with and does not keep for itself, so that a program which takes
//! its place, or runs under it, has what it would have had without it.
//!
//! Rust's runtime opens standard descriptors that are closed and ignores `SIGPIPE`, before `main`;
//! when it starts a program it sets the default for that signal, whatever was there before. So it
//! is looked at before the runtime is there. Nothing here may allocate: it runs before that, and in
//! a forked child.

use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

const STANDARD: [RawFd; 3] = [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO];
/// The signals whose being ignored would be lost: `SIGPIPE` by the runtime, `SIGCHLD` because who
/// waits for a program cannot ignore it.
const SIGNALS: [libc::c_int; 2] = [libc::SIGPIPE, libc::SIGCHLD];

/// The standard descriptors that were closed, a bit each.
static CLOSED: AtomicU32 = AtomicU32::new(0);
/// The signals that were ignored, a bit each.
static IGNORED: AtomicU32 = AtomicU32::new(0);

#[used]
// SAFETY: the loader calls what stands there, once, before `main`; `look` has the form that it
// expects and needs nothing of what comes later.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    for (bit, fd) in STANDARD.into_iter().enumerate() {
        // SAFETY: only asks; any number may be asked about.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            CLOSED.fetch_or(1 << bit, Ordering::Relaxed);
        }
    }
    for (bit, signal) in SIGNALS.into_iter().enumerate() {
        // SAFETY: `sigaction` is plain numbers and an address, for which zero is a value; the kernel
        // writes one into ours, and nothing is set.
        let action = unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            libc::sigaction(signal, core::ptr::null(), &raw mut action);
            action.sa_sigaction
        };
        if action == libc::SIG_IGN {
            IGNORED.fetch_or(1 << bit, Ordering::Relaxed);
        }
    }
}

/// Has the program of `command` get it.
pub fn pass_on(command: &mut Command) {
    // SAFETY: `give` makes only calls that may be made in a forked child.
    unsafe {
        command.pre_exec(|| {
            give();
            Ok(())
        })
    };
}

/// Right before the program is there, after all that the runtime does.
fn give() {
    for (bit, fd) in STANDARD.into_iter().enumerate() {
        if CLOSED.load(Ordering::Relaxed) & 1 << bit != 0 {
            // Not closed before: where the program cannot be started, that is to be said, and nothing
            // else may have the number.
            // SAFETY: takes no pointers; what is open there is the runtime's.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    for (bit, signal) in SIGNALS.into_iter().enumerate() {
        if IGNORED.load(Ordering::Relaxed) & 1 << bit != 0 {
            // SAFETY: no handler of anybody's is given; this process is about to be another.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
    }
}
