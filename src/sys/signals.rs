//! What a program that is executed finds of its signals: the mask, and which are ignored.
//!
//! Both outlive `execve`. Bare system calls: the C library's `sigaction` refuses the signals that
//! it keeps for itself, and may be interposed.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU64, Ordering};

/// Signals there are.
const SIGNALS: c_int = 64;

/// A set of signals, as the kernel has it: signal 1 is the lowest bit.
pub type Set = u64;

/// The kernel's `struct sigaction`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Action {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: Set,
}

impl Action {
    const DEFAULT: Self = Self {
        handler: libc::SIG_DFL,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
}

static MASK_AT_START: AtomicU64 = AtomicU64::new(0);
static IGNORED_AT_START: AtomicU64 = AtomicU64::new(0);

const fn bit(signal: c_int) -> Set {
    1 << (signal - 1)
}

fn catchable() -> impl Iterator<Item = c_int> {
    (1..=SIGNALS).filter(|signal| !matches!(*signal, libc::SIGKILL | libc::SIGSTOP))
}

fn exchange(signal: c_int, new: Option<&Action>) -> Action {
    let mut old = Action::DEFAULT;
    let new = new.map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the kernel reads one `Action` and writes one; a handler that is put back is the one
    // that was there.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            new,
            &raw mut old,
            size_of::<Set>(),
        );
    }
    old
}

/// Whether children of this process vanish when they end, without being waited for.
pub fn children_vanish() -> bool {
    let action = exchange(libc::SIGCHLD, None);
    action.handler == libc::SIG_IGN || action.flags & libc::SA_NOCLDWAIT as usize != 0
}

/// The set with this signal in it.
pub fn with(set: Set, signal: c_int) -> Set {
    set | bit(signal)
}

/// Sets this thread's mask; answers the one before.
pub fn mask(new: Set) -> Set {
    let mut old: Set = 0;
    // SAFETY: the kernel reads one set and writes one.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const new,
            &raw mut old,
            size_of::<Set>(),
        );
    }
    old
}

/// Blocks whatever can be blocked; answers the mask before.
pub fn block_all() -> Set {
    mask(Set::MAX)
}

/// Keeps how this program found its signals.
pub fn remember_start() {
    let mut now: Set = 0;
    // SAFETY: a null set changes nothing; the kernel writes the one there is.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            core::ptr::null::<Set>(),
            &raw mut now,
            size_of::<Set>(),
        );
    }
    MASK_AT_START.store(now, Ordering::Relaxed);
    let ignored = catchable().filter(|&signal| exchange(signal, None).handler == libc::SIG_IGN);
    IGNORED_AT_START.store(ignored.map(bit).sum(), Ordering::Relaxed);
}

/// How this process had its signals.
pub struct Before {
    actions: [Action; SIGNALS as usize + 1],
    mask: Set,
}

impl Before {
    /// Room for it, not on the stack.
    pub const EMPTY: Self = Self {
        actions: [Action::DEFAULT; SIGNALS as usize + 1],
        mask: 0,
    };

    /// Makes the signals as this program found them, for one that is to be executed.
    pub fn start_anew(&mut self) {
        self.mask = block_all();
        let ignored = IGNORED_AT_START.load(Ordering::Relaxed);
        for signal in catchable() {
            let handler = if ignored & bit(signal) == 0 {
                libc::SIG_DFL
            } else {
                libc::SIG_IGN
            };
            let action = Action {
                handler,
                ..Action::DEFAULT
            };
            self.actions[signal as usize] = exchange(signal, Some(&action));
        }
        mask(MASK_AT_START.load(Ordering::Relaxed));
    }

    /// Puts them back.
    pub fn put_back(&self) {
        block_all();
        for signal in catchable() {
            exchange(signal, Some(&self.actions[signal as usize]));
        }
        mask(self.mask);
    }
}

/// Gives every signal that has a handler its default: for a process that shares this one's memory
/// until it executes a program, and must run none of its handlers.
pub fn without_handlers() {
    for signal in catchable() {
        if !matches!(
            exchange(signal, None).handler,
            libc::SIG_DFL | libc::SIG_IGN
        ) {
            exchange(signal, Some(&Action::DEFAULT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_set_and_put_back() {
        let before = mask(bit(libc::SIGUSR1));
        assert_eq!(mask(before), bit(libc::SIGUSR1));
    }

    /// In a process of its own: other tests run in this one.
    #[test]
    fn signals_are_made_as_they_were_at_the_start_and_put_back() {
        extern "C" fn handler(_signal: c_int) {}
        // SAFETY: the child makes system calls only, and ends.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::signal(libc::SIGHUP, libc::SIG_IGN);
                remember_start();
                libc::signal(libc::SIGHUP, handler as *const () as usize);
                libc::signal(libc::SIGUSR2, libc::SIG_IGN);
                let blocked = mask(bit(libc::SIGTERM));
                let mut before = Before::EMPTY;
                before.start_anew();
                let fresh = exchange(libc::SIGHUP, None).handler == libc::SIG_IGN
                    && exchange(libc::SIGUSR2, None).handler == libc::SIG_DFL
                    && mask(0) == blocked;
                before.put_back();
                let same = exchange(libc::SIGHUP, None).handler == handler as *const () as usize
                    && exchange(libc::SIGUSR2, None).handler == libc::SIG_IGN
                    && mask(0) == bit(libc::SIGTERM);
                libc::_exit(c_int::from(!fresh) + 2 * c_int::from(!same));
            }
            let mut status = -1;
            libc::waitpid(child, &raw mut status, 0);
            assert_eq!(libc::WEXITSTATUS(status), 0);
        }
    }
}
