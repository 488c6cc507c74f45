//! Signals that are the program's, while this command waits for it.
//!
//! What the terminal sends (Ctrl-C, Ctrl-\, its end) goes to the whole foreground group, and so to
//! the program already: this command only stays alive. What somebody sends to this command by
//! `kill` is passed on. A signal that was ignored stays so, for the program as well (`nohup`).

use std::process::Child;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

const PASSED_ON: [libc::c_int; 6] = [
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

const NONE_YET: i32 = 0;
const ENDED: i32 = -1;

/// The program.
static CHILD: AtomicI32 = AtomicI32::new(NONE_YET);
/// Signals that came before there was one, a bit each.
static EARLY: AtomicU32 = AtomicU32::new(0);

/// From now on signals are the program's. Called before it is started: an exec gives it the default for what is handled here.
pub fn handle() {
    // Where the end of children is ignored, nobody can wait for one.
    // SAFETY: puts the default in place; there is no child yet.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    for signal in PASSED_ON {
        // SAFETY: `sigaction` is plain numbers and an address, for which zero is a value; asks
        // for what there is, and sets a handler that only makes async-signal-safe calls.
        unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            libc::sigaction(signal, core::ptr::null(), &raw mut action);
            if action.sa_sigaction == libc::SIG_IGN {
                continue;
            }
            action = core::mem::zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, core::ptr::null_mut());
        }
    }
}

/// They go to this program, also those that have come already. Gives its pid.
pub fn pass_to(child: &Child) -> i32 {
    let pid = child.id().cast_signed();
    CHILD.store(pid, Ordering::SeqCst);
    let early = EARLY.swap(0, Ordering::SeqCst);
    for signal in PASSED_ON {
        if early & 1 << signal != 0 {
            // SAFETY: takes no pointers; the child has not been waited for.
            unsafe { libc::kill(pid, signal) };
        }
    }
    pid
}

/// Waits for the program's end, and leaves it to be waited for: its number is its own until
/// nothing is sent to it any more.
pub fn until_ended(pid: i32) {
    loop {
        // SAFETY: `siginfo_t` is plain numbers, for which zero is a value; the kernel fills it in.
        let mut about: libc::siginfo_t = unsafe { core::mem::zeroed() };
        let how = libc::WEXITED | libc::WNOWAIT;
        // SAFETY: the place is ours, and any number may be asked about.
        let waited = unsafe { libc::waitid(libc::P_PID, pid.cast_unsigned(), &raw mut about, how) };
        let interrupted = std::io::Error::last_os_error().kind();
        if waited == 0 || interrupted != std::io::ErrorKind::Interrupted {
            break;
        }
    }
    CHILD.store(ENDED, Ordering::SeqCst);
}

extern "C" fn on_signal(
    signal: libc::c_int,
    about: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: with SA_SIGINFO the kernel gives a `siginfo_t`.
    if unsafe { (*about).si_code } == libc::SI_KERNEL {
        return;
    }
    // SAFETY: errno is this thread's own; what it interrupted may be about to read it.
    let errno = unsafe { *libc::__errno_location() };
    match CHILD.load(Ordering::SeqCst) {
        NONE_YET => {
            EARLY.fetch_or(1 << signal, Ordering::SeqCst);
            // It may have been started in between.
            let child = CHILD.load(Ordering::SeqCst);
            if child > 0 && EARLY.fetch_and(!(1 << signal), Ordering::SeqCst) & 1 << signal != 0 {
                // SAFETY: as below.
                unsafe { libc::kill(child, signal) };
            }
        }
        ENDED => {}
        // SAFETY: takes no pointers; a child that was not waited for keeps its number.
        child => unsafe {
            libc::kill(child, signal);
        },
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}
