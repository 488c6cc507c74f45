//! In a fresh process that was made to run an entry.
//!
//! It is known by a variable that names the payload's descriptor, its inode and this very
//! process: whoever inherits the variable is another process, and whoever sets it by hand has no
//! payload. The variable is gone before the program could see it.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicU32, Ordering};

use super::payload::{self, Received};
use crate::report::emit;
use crate::sys::{descriptors, environment, raw};

/// The variable: `FD:INODE:PID`.
pub const VARIABLE: &CStr = c"FORKGUARD_ENTRY";
/// The exit code of a process that could not run its entry: what a shell answers for a command
/// that it cannot find.
const LOST: c_int = 127;

const NONE: u32 = 0;
const WAITS: u32 = 1;
const RUNS: u32 = 2;
static STATE: AtomicU32 = AtomicU32::new(NONE);

struct Place(UnsafeCell<Option<Received<'static>>>);

// SAFETY: written by the constructor, before the program has a thread; only read after that.
unsafe impl Sync for Place {}

static RECEIVED: Place = Place(UnsafeCell::new(None));

/// At load: takes what this process was given, if it was.
pub fn prepare() {
    // SAFETY: the constructor.
    let Some(value) = (unsafe { environment::take(VARIABLE) }) else {
        return;
    };
    let mut numbers = value.split(|&byte| byte == b':').map(|number| {
        let number = core::str::from_utf8(number).ok()?;
        number.parse::<u64>().ok()
    });
    let (fd, inode, pid) = (numbers.next(), numbers.next(), numbers.next());
    let (Some(Some(fd)), Some(Some(inode)), Some(Some(pid))) = (fd, inode, pid) else {
        return;
    };
    // SAFETY: reads a table that the kernel made.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    if secure || pid != u64::from(raw::getpid() as u32) {
        return;
    }
    let restore = |fd| {
        // Another thread of the parent may have closed it meanwhile.
        let _ = descriptors::close_on_exec(fd, true);
    };
    let Some(received) = payload::receive(fd as c_int, inode, restore) else {
        // Without its work it must not begin the program's own.
        emit::notice(format_args!(
            "pid {pid} was started to run an entry of this program, and what it was to be told \
             is not there; ending it"
        ));
        raw::exit_now(LOST);
    };
    // SAFETY: the constructor, before the program has a thread.
    unsafe { *RECEIVED.0.get() = Some(received) };
    STATE.store(WAITS, Ordering::Release);
    // SAFETY: the handler is never unloaded. If it cannot be registered, a program that ends
    // without its entry ends as it would.
    unsafe { libc::atexit(at_exit) };
}

/// Whether this process was made to run an entry.
pub fn is_one() -> bool {
    STATE.load(Ordering::Acquire) != NONE
}

fn received() -> Option<&'static Received<'static>> {
    // SAFETY: see `Place`.
    unsafe { (*RECEIVED.0.get()).as_ref() }
}

/// The data, if this process was made to run the entry of this name.
pub fn take(name: &CStr) -> Option<&'static [u8]> {
    if STATE.load(Ordering::Acquire) != WAITS {
        return None;
    }
    let received = received()?;
    if received.name != name.to_bytes() {
        return None;
    }
    STATE.store(RUNS, Ordering::Release);
    Some(received.data)
}

/// A program that comes to start workers before it came to the registration that this process
/// waits for will never come to it: it would start workers without end.
pub fn end_if_missed() {
    if STATE.load(Ordering::Acquire) == WAITS {
        missed("came to start workers itself");
        raw::exit_now(LOST);
    }
}

fn missed(what: &str) {
    let name = received().map_or(&b""[..], |received| received.name);
    emit::notice(format_args!(
        "pid {} was started to run the entry \"{}\", but {what} without having registered it: \
         forkguard_on_exec must be called at the beginning of main, whatever the arguments",
        raw::getpid(),
        core::str::from_utf8(name).unwrap_or("?"),
    ));
}

/// The parent must not take a worker that did nothing for one that did its work.
extern "C" fn at_exit() {
    if STATE.load(Ordering::Acquire) == WAITS {
        missed("ended");
        // SAFETY: null is all streams, which exit would write out after this.
        unsafe { libc::fflush(core::ptr::null_mut()) };
        raw::exit_now(LOST);
    }
}
