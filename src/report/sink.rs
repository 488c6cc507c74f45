//! Where a report goes: text to stderr, events to `FORKGUARD_REPORT`.
//!
//! What cannot be written where it was asked for is said on stderr, with the reason. How it gets
//! there is `delivery`'s.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::buffer::Buffer;
pub use super::delivery::Pace;
use super::delivery::{Bytes, PIPE_CHUNK, to_fd, to_path};
use super::failure::Failure;
use crate::sys::raw::{self, ErrnoGuard};

/// Standard error's descriptor.
const STDERR: i32 = libc::STDERR_FILENO;

/// Bytes of a complaint.
const LINE: usize = 512;

/// Where events go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target<'a> {
    /// A file, opened for each event.
    Path(&'a CStr),
    /// An open descriptor.
    Fd(i32),
    /// Standard error, instead of the text.
    Stderr,
}

/// The process that has complained of an event, and goes on.
static COMPLAINED_IN: AtomicI32 = AtomicI32::new(0);

/// Whether descriptor 2 was closed when the library was loaded.
static STDERR_CLOSED: AtomicBool = AtomicBool::new(false);

/// Remembers whether there is a standard error. Called once, by the constructor.
///
/// A program started without one gives number 2 to some file of its own later; a report must
/// not be written into that. A program that closes 2 itself and then opens it anew means it to
/// be its standard error (every daemon does that), so only the start counts.
pub fn remember_stderr() {
    // SAFETY: F_GETFD only asks; any number may be asked about.
    let flags = unsafe { libc::fcntl(STDERR, libc::F_GETFD) };
    // Any other error is a sandbox's, which does not say what it was asked.
    let closed = flags == -1 && raw::errno() == libc::EBADF;
    STDERR_CLOSED.store(closed, Ordering::Relaxed);
}

/// Whether standard error is a terminal.
pub fn stderr_is_terminal() -> bool {
    // SAFETY: isatty asks the kernel about a number and touches no memory of ours but errno.
    !STDERR_CLOSED.load(Ordering::Relaxed) && unsafe { libc::isatty(STDERR) } == 1
}

/// Writes to standard error, as far as it goes: there is nowhere to complain about it.
pub fn to_stderr(bytes: &[u8], pace: Pace) {
    if !STDERR_CLOSED.load(Ordering::Relaxed) {
        let _ = to_fd(STDERR, Bytes::Text(bytes), pace);
    }
}

/// How many bytes an event for this target may have: a pipe takes no more in one piece than it
/// holds.
pub fn most(target: Target<'_>) -> usize {
    let fd = match target {
        Target::Path(_) => return usize::MAX,
        Target::Fd(fd) => fd,
        Target::Stderr => STDERR,
    };
    // SAFETY: only asks; any number may be asked about.
    let size = unsafe { libc::fcntl(fd, libc::F_GETPIPE_SZ) };
    usize::try_from(size).map_or(usize::MAX, |size| {
        size.saturating_sub(PIPE_CHUNK).max(PIPE_CHUNK)
    })
}

/// Writes one event; where that fails, says so on stderr. Answers whether it was written.
pub fn event(target: Target<'_>, bytes: &[u8], pace: Pace) -> bool {
    deliver("an event", target, bytes, pace)
}

/// Writes the report's text to a file as well, whole like an event, and with a line end before it
/// for where one is needed.
pub fn copy_of_text(path: &CStr, bytes: &[u8], pace: Pace) {
    deliver("the report's text", Target::Path(path), bytes, pace);
}

fn deliver(what: &str, target: Target<'_>, bytes: &[u8], pace: Pace) -> bool {
    if bytes.is_empty() {
        return false;
    }
    let _errno = ErrnoGuard::new();
    let event = Bytes::Event(bytes);
    let result = match target {
        Target::Stderr if STDERR_CLOSED.load(Ordering::Relaxed) => Err(Failure::Errno(libc::EBADF)),
        Target::Stderr => to_fd(STDERR, event, pace),
        Target::Fd(fd) => to_fd(fd, event, pace),
        Target::Path(path) => to_path(path, event, pace),
    };
    let Err(failure) = result else {
        return true;
    };
    // A process that goes on meets the same again with each event.
    let pid = raw::getpid();
    if pace == Pace::Ends || COMPLAINED_IN.swap(pid, Ordering::Relaxed) != pid {
        let mut room = [0; LINE];
        let mut line = Buffer::new(&mut room);
        complain(&mut line, what, target, failure);
        to_stderr(line.finish_printable(), pace);
    }
    false
}

/// Writes one event to the file of the command that watches this program. Where the file's folder
/// is gone, so is the command, and what this process outlived it for is nobody's business.
pub fn trace(path: &CStr, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let _errno = ErrnoGuard::new();
    match to_path(path, Bytes::Event(bytes), Pace::GoesOn) {
        Ok(()) | Err(Failure::Errno(libc::ENOENT)) => {}
        Err(failure) => {
            let mut room = [0; LINE];
            let mut line = Buffer::new(&mut room);
            line.put(format_args!(
                "forkguard: the trace has not all of pid {}, which could not write to its file: \
                 {failure}\n",
                raw::getpid()
            ));
            to_stderr(line.finish_printable(), Pace::GoesOn);
        }
    }
}

/// The line that says what is missing.
fn complain(out: &mut Buffer<'_>, what: &str, target: Target<'_>, failure: Failure) {
    out.put(format_args!("forkguard: {what} could not be written to "));
    match target {
        Target::Path(path) => out.put_str(path.to_str().unwrap_or("FORKGUARD_REPORT's path")),
        Target::Fd(fd) => out.put(format_args!("file descriptor {fd}")),
        Target::Stderr => out.put_str("standard error"),
    }
    out.put(format_args!(": {failure}; "));
    out.put_str(match target {
        Target::Path(_) => {
            "set FORKGUARD_REPORT to a file that this process may create or append to\n"
        }
        Target::Fd(_) => {
            "set FORKGUARD_REPORT=fd:N to a descriptor that stays open, writable and read\n"
        }
        Target::Stderr => "set FORKGUARD_REPORT to a file\n",
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_complaint_says_what_why_and_what_to_do() {
        let mut room = [0; 512];
        let mut out = Buffer::new(&mut room);
        complain(
            &mut out,
            "an event",
            Target::Path(c"/x/events"),
            Failure::Errno(libc::EACCES),
        );
        assert_eq!(
            core::str::from_utf8(out.finish()).unwrap(),
            "forkguard: an event could not be written to /x/events: permission denied; set \
             FORKGUARD_REPORT to a file that this process may create or append to\n"
        );
    }
}
