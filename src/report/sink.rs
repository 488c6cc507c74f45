//! Where a report goes: text to stderr, events to `FORKGUARD_REPORT`.
//!
//! Only system calls, each of which ends within a bounded time: a reader that has gone to sleep
//! may cost a report, never hang the process that makes it. What cannot be written where it was
//! asked for is said on stderr, with the reason.

use core::ffi::CStr;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use super::buffer::Buffer;
use crate::sys::raw::{self, ErrnoGuard};

/// Standard error's descriptor.
const STDERR: i32 = libc::STDERR_FILENO;
/// How long a full pipe is waited for, in milliseconds.
const PATIENCE: i64 = 2000;
/// The same, after it was waited for in vain: a report has several parts, and the process that
/// makes it is to end soon.
const LITTLE_PATIENCE: i64 = 50;
/// Bytes of a complaint.
const LINE: usize = 512;
/// A write of at most so many bytes does not block on a pipe that polls as writable.
const PIPE_CHUNK: usize = 4096;

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

/// Why something could not be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The kernel said so.
    Errno(i32),
    /// Nobody read the pipe for as long as was waited.
    Full,
    /// Only so many bytes of the event were taken.
    Short(usize),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = match *self {
            Failure::Full => return f.write_str("it is full and nobody reads it"),
            Failure::Short(taken) => return write!(f, "it took only the first {taken} bytes"),
            Failure::Errno(errno) => errno,
        };
        f.write_str(match errno {
            libc::ENOENT => "there is no such folder",
            libc::EACCES | libc::EPERM => "permission denied",
            libc::ELOOP => "it is a symbolic link, which forkguard does not follow",
            libc::ENOSPC => "the disk is full",
            libc::EDQUOT => "the disk quota is used up",
            libc::EFBIG => "it has reached the largest size allowed",
            libc::EROFS => "it is on a read-only file system",
            libc::EISDIR => "it is a folder",
            libc::ENOTDIR => "a part of its path is not a folder",
            libc::ENAMETOOLONG => "its name is too long",
            libc::EBADF => "it is not open for writing",
            libc::EPIPE => "its reader is gone",
            libc::ENXIO => "it is a pipe that nobody reads",
            libc::EMFILE => "this process has no free file descriptor",
            libc::ENFILE => "the system has no free file descriptor",
            libc::EIO => "the device reported an error",
            libc::EINVAL => "it cannot be written to",
            errno => return write!(f, "error {errno}"),
        })
    }
}

/// Whether the last wait was in vain.
static IN_VAIN: AtomicBool = AtomicBool::new(false);

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
    STDERR_CLOSED.store(flags == -1, Ordering::Relaxed);
}

/// Whether standard error is a terminal.
pub fn stderr_is_terminal() -> bool {
    // SAFETY: isatty asks the kernel about a number and touches no memory of ours but errno.
    !STDERR_CLOSED.load(Ordering::Relaxed) && unsafe { libc::isatty(STDERR) } == 1
}

/// Writes to standard error, as far as it goes: there is nowhere to complain about it.
pub fn to_stderr(bytes: &[u8]) {
    let _ = try_stderr(bytes);
}

fn try_stderr(bytes: &[u8]) -> Result<(), Failure> {
    if STDERR_CLOSED.load(Ordering::Relaxed) {
        return Err(Failure::Errno(libc::EBADF));
    }
    to_fd(STDERR, bytes)
}

/// Writes one event; where that fails, says so on stderr.
pub fn event(target: Target<'_>, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let _errno = ErrnoGuard::new();
    let result = match target {
        Target::Stderr => try_stderr(bytes),
        Target::Fd(fd) => to_fd(fd, bytes),
        Target::Path(path) => to_path(path, bytes),
    };
    if let Err(failure) = result {
        let mut room = [0; LINE];
        let mut line = Buffer::new(&mut room);
        complain(&mut line, target, failure);
        to_stderr(line.finish());
    }
}

/// Writes one event to the file of the command that watches this program. Where the file's folder
/// is gone, so is the command, and what this process outlived it for is nobody's business.
pub fn trace(path: &CStr, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let _errno = ErrnoGuard::new();
    match to_path(path, bytes) {
        Ok(()) | Err(Failure::Errno(libc::ENOENT)) => {}
        Err(failure) => {
            let mut room = [0; LINE];
            let mut line = Buffer::new(&mut room);
            line.put(format_args!(
                "forkguard: the trace has not all of pid {}, which could not write to its file: \
                 {failure}\n",
                raw::getpid()
            ));
            to_stderr(line.finish());
        }
    }
}

/// The line that says an event is missing.
fn complain(out: &mut Buffer<'_>, target: Target<'_>, failure: Failure) {
    out.put_str("forkguard: an event could not be written to ");
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

fn to_path(path: &CStr, bytes: &[u8]) -> Result<(), Failure> {
    // O_NONBLOCK: a named pipe without a reader is an error, not a wait.
    let flags = libc::O_WRONLY
        | libc::O_APPEND
        | libc::O_CREAT
        | libc::O_CLOEXEC
        | libc::O_NOFOLLOW
        | libc::O_NOCTTY
        | libc::O_NONBLOCK;
    // SAFETY: the path is NUL-terminated; with O_CREAT the mode is given.
    let fd = unsafe { libc::open(path.as_ptr(), flags, 0o600) };
    if fd < 0 {
        return Err(last_error());
    }
    let result = write_whole(fd, bytes, Way::Whole);
    // SAFETY: this function opened the descriptor and gave it to nobody.
    unsafe { libc::close(fd) };
    result
}

/// How bytes are handed over so that the call cannot block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In one piece: what is written to does not block, or only for a disk.
    Whole,
    /// In pieces that a pipe has room for when it says that it is writable.
    Pieces,
    /// By `send`, which can be told not to block.
    Send,
}

/// Writes to a descriptor that others share, so its flags may not be changed.
fn to_fd(fd: i32, bytes: &[u8]) -> Result<(), Failure> {
    // SAFETY: F_GETFL only asks; any number may be asked about.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags == -1 {
        return Err(last_error());
    }
    if flags & libc::O_ACCMODE == libc::O_RDONLY || flags & libc::O_PATH != 0 {
        return Err(Failure::Errno(libc::EBADF));
    }
    match file_type(fd) {
        libc::S_IFIFO => to_pipe(fd, bytes),
        libc::S_IFSOCK => write_whole(fd, bytes, Way::Send),
        _ => write_whole(fd, bytes, Way::Whole),
    }
}

fn file_type(fd: i32) -> libc::mode_t {
    // SAFETY: `stat` is plain numbers, for which zero is a value; the kernel fills it in.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: fstat writes one `stat` into ours, and any number may be asked about.
    unsafe { libc::fstat(fd, &raw mut stat) };
    stat.st_mode & libc::S_IFMT
}

/// Writes to a pipe whose reader may be asleep.
fn to_pipe(fd: i32, bytes: &[u8]) -> Result<(), Failure> {
    // The same pipe opened anew is a description of our own, which can be made not to block.
    let mut room = [0; 48];
    let mut name = Buffer::new(&mut room);
    name.put(format_args!("/proc/self/fd/{fd}\0"));
    if let Ok(path) = CStr::from_bytes_with_nul(name.finish()) {
        let flags = libc::O_WRONLY | libc::O_CLOEXEC | libc::O_NONBLOCK;
        // SAFETY: the path is NUL-terminated.
        let own = unsafe { libc::open(path.as_ptr(), flags) };
        if own >= 0 {
            let result = write_whole(own, bytes, Way::Whole);
            // SAFETY: this function opened the descriptor and gave it to nobody.
            unsafe { libc::close(own) };
            return result;
        }
    }
    // No /proc, or no free descriptor.
    write_whole(fd, bytes, Way::Pieces)
}

/// Writes everything, waiting for room but not for ever.
fn write_whole(fd: i32, bytes: &[u8], way: Way) -> Result<(), Failure> {
    let _quiet = NoSigpipe::block();
    let start = now_ms();
    let in_vain = IN_VAIN.load(Ordering::Relaxed);
    let patience = if in_vain { LITTLE_PATIENCE } else { PATIENCE };
    let mut written = 0;
    while written < bytes.len() {
        let left = patience - (now_ms() - start);
        if left <= 0 || !writable(fd, left) {
            IN_VAIN.store(true, Ordering::Relaxed);
            return Err(if written == 0 {
                Failure::Full
            } else {
                Failure::Short(written)
            });
        }
        let most = if way == Way::Pieces {
            PIPE_CHUNK
        } else {
            usize::MAX
        };
        let piece = &bytes[written..bytes.len().min(written.saturating_add(most))];
        let start_of_piece = piece.as_ptr().cast();
        let n = if way == Way::Send {
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: `piece` is valid for its length.
            unsafe { libc::send(fd, start_of_piece, piece.len(), flags) }
        } else {
            // SAFETY: `piece` is valid for its length.
            unsafe { libc::write(fd, start_of_piece, piece.len()) }
        };
        match usize::try_from(n) {
            Ok(0) => return Err(Failure::Short(written)),
            Ok(n) => written += n,
            Err(_) => match last_error() {
                Failure::Errno(libc::EINTR | libc::EAGAIN) => {}
                // The disk filled up in the middle: the reason says more than the count.
                error => return Err(error),
            },
        }
    }
    IN_VAIN.store(false, Ordering::Relaxed);
    Ok(())
}

/// Waits until `fd` can take something or has an error to tell.
fn writable(fd: i32, timeout_ms: i64) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    let timeout = i32::try_from(timeout_ms).unwrap_or(i32::MAX);
    // SAFETY: one `pollfd` is given and counted.
    let ready = unsafe { libc::poll(&raw mut poll, 1, timeout) };
    // An interrupted wait is tried again by the write, which answers EAGAIN where it must.
    ready != 0
}

fn now_ms() -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes one `timespec` into ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec * 1000 + now.tv_nsec / 1_000_000
}

fn last_error() -> Failure {
    // SAFETY: errno is this thread's own and always there.
    Failure::Errno(unsafe { *libc::__errno_location() })
}

/// Keeps a write to a closed pipe from killing the process by `SIGPIPE`.
struct NoSigpipe {
    before: libc::sigset_t,
    /// One was already pending: it is not ours to swallow.
    pending: bool,
}

impl NoSigpipe {
    fn block() -> Self {
        let set = Self::set();
        // SAFETY: a signal set is plain bytes, for which zero is a value.
        let mut before: libc::sigset_t = unsafe { core::mem::zeroed() };
        // SAFETY: both sets are ours; only this thread's mask is changed, until the drop.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before) };
        Self {
            before,
            pending: Self::is_pending(),
        }
    }

    fn set() -> libc::sigset_t {
        // SAFETY: a signal set is plain bytes, for which zero is a value.
        let mut set: libc::sigset_t = unsafe { core::mem::zeroed() };
        // SAFETY: `set` is ours, and SIGPIPE is a signal.
        unsafe { libc::sigaddset(&raw mut set, libc::SIGPIPE) };
        set
    }

    fn is_pending() -> bool {
        // SAFETY: a signal set is plain bytes, for which zero is a value.
        let mut pending: libc::sigset_t = unsafe { core::mem::zeroed() };
        // SAFETY: the kernel fills our set, which is then only read.
        unsafe {
            libc::sigpending(&raw mut pending);
            libc::sigismember(&raw const pending, libc::SIGPIPE) == 1
        }
    }
}

impl Drop for NoSigpipe {
    fn drop(&mut self) {
        if !self.pending && Self::is_pending() {
            let set = Self::set();
            let at_once = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            // SAFETY: takes the one pending SIGPIPE of this thread's own write; no information
            // about it is asked for.
            unsafe {
                libc::sigtimedwait(&raw const set, core::ptr::null_mut(), &raw const at_once);
            }
        }
        // SAFETY: gives back the mask that `block` found.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.before,
                core::ptr::null_mut(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs;
    use std::io::Read;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    /// A folder of its own for one test, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("forkguard-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn path(&self, name: &str) -> CString {
            CString::new(self.0.join(name).to_str().unwrap()).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn pipe() -> (OwnedFd, OwnedFd) {
        let mut ends = [0; 2];
        // SAFETY: room for the two descriptors is given.
        let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
        assert_eq!(made, 0);
        // SAFETY: both were opened just now and belong to nobody else.
        unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) }
    }

    #[test]
    fn a_file_is_made_private_and_appended_to() {
        let folder = Folder::new("append");
        let path = folder.path("events");
        to_path(&path, b"one\n").unwrap();
        to_path(&path, b"two\n").unwrap();
        let file = folder.0.join("events");
        assert_eq!(fs::read(&file).unwrap(), b"one\ntwo\n");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let folder = Folder::new("link");
        fs::write(folder.0.join("victim"), b"").unwrap();
        symlink(folder.0.join("victim"), folder.0.join("link")).unwrap();
        assert_eq!(
            to_path(&folder.path("link"), b"x"),
            Err(Failure::Errno(libc::ELOOP))
        );
        assert_eq!(fs::read(folder.0.join("victim")).unwrap(), b"");
    }

    #[test]
    fn what_cannot_be_opened_says_why() {
        let folder = Folder::new("open");
        assert_eq!(
            to_path(&folder.path("no/events"), b"x"),
            Err(Failure::Errno(libc::ENOENT))
        );
        assert_eq!(
            to_path(&folder.path(""), b"x"),
            Err(Failure::Errno(libc::EISDIR))
        );
        let fifo = folder.path("fifo");
        // SAFETY: the path is NUL-terminated.
        assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
        assert_eq!(to_path(&fifo, b"x"), Err(Failure::Errno(libc::ENXIO)));
        assert_eq!(
            to_path(c"/dev/full", b"x"),
            Err(Failure::Errno(libc::ENOSPC))
        );
    }

    #[test]
    fn descriptors_that_cannot_take_it_say_why() {
        assert_eq!(to_fd(-1, b"x"), Err(Failure::Errno(libc::EBADF)));
        let (read, write) = pipe();
        // Its read end is no place to write to, though /proc would open it so.
        assert_eq!(
            to_fd(read.as_raw_fd(), b"x"),
            Err(Failure::Errno(libc::EBADF))
        );
        drop(read);
        // No SIGPIPE kills the test.
        assert_eq!(
            to_fd(write.as_raw_fd(), b"x"),
            Err(Failure::Errno(libc::EPIPE))
        );
    }

    #[test]
    fn a_full_pipe_is_given_up_and_a_blocking_one_stays_blocking() {
        let (read, write) = pipe();
        let fd = write.as_raw_fd();
        // SAFETY: asks for the smallest pipe; the descriptor is ours.
        let size = unsafe { libc::fcntl(fd, libc::F_SETPIPE_SZ, 4096) };
        let filling = vec![b'.'; usize::try_from(size).unwrap()];
        to_fd(fd, &filling).unwrap();
        assert_eq!(to_fd(fd, b"lost"), Err(Failure::Full));
        // The next part of the same report does not wait as long again.
        let start = now_ms();
        assert_eq!(to_fd(fd, b"lost as well"), Err(Failure::Full));
        assert!(now_ms() - start < PATIENCE);
        // SAFETY: F_GETFL only asks.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        assert_eq!(flags & libc::O_NONBLOCK, 0);
        drop(write);
        let mut got = Vec::new();
        fs::File::from(read).read_to_end(&mut got).unwrap();
        assert_eq!(got, filling);
    }

    #[test]
    fn more_than_a_pipe_holds_gets_through_to_a_reader() {
        for way in [Way::Whole, Way::Pieces] {
            let (read, write) = pipe();
            let bytes: Vec<u8> = (0..300_000_u32).map(|i| i as u8).collect();
            let reader = std::thread::spawn(move || {
                let mut got = Vec::new();
                fs::File::from(read).read_to_end(&mut got).unwrap();
                got
            });
            write_whole(write.as_raw_fd(), &bytes, way).unwrap();
            drop(write);
            assert_eq!(reader.join().unwrap(), bytes);
        }
    }

    #[test]
    fn a_socket_is_written_to() {
        let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        to_fd(theirs.as_raw_fd(), b"event\n").unwrap();
        drop(theirs);
        let mut got = String::new();
        ours.read_to_string(&mut got).unwrap();
        assert_eq!(got, "event\n");
    }

    #[test]
    fn the_complaint_says_what_why_and_what_to_do() {
        let mut room = [0; 512];
        let mut out = Buffer::new(&mut room);
        complain(
            &mut out,
            Target::Path(c"/x/events"),
            Failure::Errno(libc::EACCES),
        );
        assert_eq!(
            core::str::from_utf8(out.finish()).unwrap(),
            "forkguard: an event could not be written to /x/events: permission denied; set \
             FORKGUARD_REPORT to a file that this process may create or append to\n"
        );
    }

    #[test]
    fn every_reason_has_words() {
        for failure in [
            Failure::Full,
            Failure::Short(7),
            Failure::Errno(libc::ENOSPC),
        ] {
            assert!(!failure.to_string().is_empty());
        }
        assert_eq!(Failure::Errno(9999).to_string(), "error 9999");
    }
}
