//! How bytes get into a file, a pipe, a socket or whatever else is open, each way so that it ends
//! within a bounded time: a reader that has gone to sleep may cost a report, never hang the process
//! that makes it.
//!
//! An event is one write of one whole line. What a disk or a pipe took only a part of cannot be
//! taken back, for others write there as well; so each event has a line end before it, which is
//! written where what stands there is no whole line.
//!
//! Only system calls. Nothing is said here of what failed: the answer has the reason.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

use super::buffer::Buffer;
use super::failure::Failure;
use super::limit;
use super::no_signal::NoSignal;
use super::open::{self, Open};
use super::turn;
use crate::sys::raw;

/// How much a process may be held up by a pipe that is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// It is to end when its report is out.
    Ends,
    /// It goes on with its own work.
    GoesOn,
}

impl Pace {
    /// How long is waited for the reader, in milliseconds.
    const fn patience(self) -> i64 {
        match self {
            Pace::Ends => 2000,
            Pace::GoesOn => 10,
        }
    }

    /// The same, after it was waited for in vain: a report has several parts.
    const fn little_patience(self) -> i64 {
        match self {
            Pace::Ends => 50,
            Pace::GoesOn => 0,
        }
    }
}

/// A write of at most so many bytes does not block on a pipe that polls as writable.
pub(super) const PIPE_CHUNK: usize = 4096;

/// How often the end of a file is looked at while somebody else may be writing there.
const LOOKS: usize = 4;

/// Whether the last wait was in vain.
static IN_VAIN: AtomicBool = AtomicBool::new(false);

/// What is written.
#[derive(Clone, Copy)]
pub(super) enum Bytes<'a> {
    /// Text, in as many pieces as it takes.
    Text(&'a [u8]),
    /// An event, which begins with a line end that is written only where it is needed.
    Event(&'a [u8]),
}

impl<'a> Bytes<'a> {
    /// What to write after a whole line, or after another thing.
    fn after(self, whole: bool) -> &'a [u8] {
        match self {
            Bytes::Event(event) if whole => event.get(1..).unwrap_or_default(),
            Bytes::Text(bytes) | Bytes::Event(bytes) => bytes,
        }
    }

    fn is_event(self) -> bool {
        matches!(self, Bytes::Event(_))
    }
}

pub(super) fn to_path(path: &CStr, bytes: Bytes<'_>, pace: Pace) -> Result<(), Failure> {
    let file = open::open(path)?;
    let stat = open::stat(file.fd())?;
    match stat.kind() {
        libc::S_IFREG => {
            let whole = stat.size == 0
                || open::again(file.fd(), path)
                    .is_none_or(|reader| ends_in_a_line(reader.fd(), file.fd(), stat.size));
            write_whole(file.fd(), bytes.after(whole), Way::Whole, pace)
        }
        libc::S_IFIFO => write_to_pipe(file.fd(), bytes, Way::Whole, pace),
        _ => write_whole(file.fd(), bytes.after(true), Way::Whole, pace),
    }
}

/// Whether a file of this size ends with a whole line, as far as can be told. What another process
/// is writing at this moment may be seen half done; what stays so was cut off.
fn ends_in_a_line(reader: i32, writer: i32, mut size: i64) -> bool {
    for _ in 0..LOOKS {
        let mut last = 0u8;
        // SAFETY: the kernel writes at most the one byte.
        let got = unsafe { libc::pread(reader, (&raw mut last).cast(), 1, size - 1) };
        if got != 1 || last == b'\n' {
            return true;
        }
        // Writes of nothing, which most filesystems have wait for the one that is under way; for the
        // others, a moment.
        // SAFETY: no byte is read.
        unsafe { libc::write(writer, (&raw const last).cast(), 0) };
        raw::pause_1ms();
        match open::stat(reader) {
            Ok(stat) if stat.size == size => return false,
            Ok(stat) if stat.size > 0 => size = stat.size,
            _ => return true,
        }
    }
    true
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
pub(super) fn to_fd(fd: i32, bytes: Bytes<'_>, pace: Pace) -> Result<(), Failure> {
    // SAFETY: F_GETFL only asks; any number may be asked about.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags == -1 {
        return unasked(fd, bytes, pace);
    }
    if flags & libc::O_ACCMODE == libc::O_RDONLY || flags & libc::O_PATH != 0 {
        return Err(Failure::Errno(libc::EBADF));
    }
    let Ok(stat) = open::stat(fd) else {
        return unasked(fd, bytes, pace);
    };
    match stat.kind() {
        libc::S_IFIFO => {
            // The same pipe opened anew is a description of our own, which can be made not to
            // block; without /proc, or a free descriptor, it is written to in pieces.
            match anew(fd, libc::O_WRONLY) {
                Some(own) => write_to_pipe(own.fd(), bytes, Way::Whole, pace),
                None => write_to_pipe(fd, bytes, Way::Pieces, pace),
            }
        }
        libc::S_IFSOCK => write_to_pipe(fd, bytes, Way::Send, pace),
        libc::S_IFREG => {
            let appends = bytes.is_event() && flags & libc::O_APPEND != 0 && stat.size > 0;
            let whole = !appends
                || anew(fd, libc::O_RDONLY)
                    .is_none_or(|reader| ends_in_a_line(reader.fd(), fd, stat.size));
            write_whole(fd, bytes.after(whole), Way::Whole, pace)
        }
        _ => write_whole(fd, bytes.after(true), Way::Whole, pace),
    }
}

/// Writes to a descriptor that could not be asked what it is, after the call that failed: a sandbox may
/// forbid the question and let the answer be found out, in pieces that nothing holds up for long.
fn unasked(fd: i32, bytes: Bytes<'_>, pace: Pace) -> Result<(), Failure> {
    match Failure::last() {
        Failure::Errno(libc::EBADF) => Err(Failure::Errno(libc::EBADF)),
        _ => write_whole(fd, bytes.after(true), Way::Pieces, pace),
    }
}

/// What is open as `fd`, opened once more.
fn anew(fd: i32, access: i32) -> Option<Open> {
    let mut room = [0; 48];
    let mut name = Buffer::new(&mut room);
    name.put(format_args!("/proc/self/fd/{fd}\0"));
    let path = CStr::from_bytes_with_nul(name.finish()).ok()?;
    Open::anew(path, access | libc::O_NONBLOCK | libc::O_NOCTTY).ok()
}

/// Writes to what has a reader, who may be asleep: an event whole or not at all, as far as can be
/// told, for others write there too.
fn write_to_pipe(fd: i32, bytes: Bytes<'_>, way: Way, pace: Pace) -> Result<(), Failure> {
    if !bytes.is_event() {
        return write_whole(fd, bytes.after(true), way, pace);
    }
    // The turn is kept until all of it is written, or given up.
    let Some(_turn) = turn::take(patience(pace)) else {
        return Err(Failure::Full);
    };
    let torn = limit::note_torn(false);
    let bytes = bytes.after(!torn);
    let result = if way == Way::Send || has_room(fd, bytes.len(), pace) {
        write_whole(fd, bytes, way, pace)
    } else {
        Err(Failure::Full)
    };
    if torn || matches!(result, Err(Failure::Short(_))) {
        limit::note_torn(result.is_err());
    }
    result
}

/// Whether a pipe has room for so many bytes, or has within the time that may be waited.
fn has_room(fd: i32, len: usize, pace: Pace) -> bool {
    // SAFETY: only asks.
    let size = unsafe { libc::fcntl(fd, libc::F_GETPIPE_SZ) };
    // More than it holds is waited for when it is written.
    let Some(size) = usize::try_from(size).ok().filter(|&size| len <= size) else {
        return true;
    };
    let start = now_ms();
    loop {
        let mut unread: libc::c_int = 0;
        // SAFETY: the kernel writes one number into ours.
        let asked = unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut unread) };
        let free = size.saturating_sub(usize::try_from(unread).unwrap_or(0));
        // One without a reader has an error to tell.
        if asked != 0 || free >= len || has_error(fd) {
            return true;
        }
        if now_ms() - start >= patience(pace) {
            IN_VAIN.store(true, Ordering::Relaxed);
            return false;
        }
        raw::pause_1ms();
    }
}

fn has_error(fd: i32) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    // SAFETY: one `pollfd` is given and counted; nothing is waited for.
    unsafe { libc::poll(&raw mut poll, 1, 0) };
    poll.revents & libc::POLLERR != 0
}

/// Milliseconds that may be waited now.
fn patience(pace: Pace) -> i64 {
    if IN_VAIN.load(Ordering::Relaxed) {
        pace.little_patience()
    } else {
        pace.patience()
    }
}

/// Writes everything, waiting for room but not for ever.
fn write_whole(fd: i32, bytes: &[u8], way: Way, pace: Pace) -> Result<(), Failure> {
    let _quiet = NoSignal::begin();
    let start = now_ms();
    let patience = patience(pace);
    let mut written = 0;
    while written < bytes.len() {
        let left = patience - (now_ms() - start);
        if !writable(fd, left.max(0)) {
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
            Err(_) => match Failure::last() {
                Failure::Errno(libc::EINTR | libc::EAGAIN) if left > 0 => {}
                Failure::Errno(libc::EINTR | libc::EAGAIN) => {
                    IN_VAIN.store(true, Ordering::Relaxed);
                    return Err(if written == 0 {
                        Failure::Full
                    } else {
                        Failure::Short(written)
                    });
                }
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

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs;
    use std::io::Read;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    const ENDS: Pace = Pace::Ends;
    const X: Bytes<'static> = Bytes::Event(b"\nx\n");

    fn event(bytes: &[u8]) -> Bytes<'_> {
        Bytes::Event(bytes)
    }

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
        to_path(&path, event(b"\none\n"), ENDS).unwrap();
        to_path(&path, event(b"\ntwo\n"), ENDS).unwrap();
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
            to_path(&folder.path("link"), X, ENDS),
            Err(Failure::Errno(libc::ELOOP))
        );
        assert_eq!(fs::read(folder.0.join("victim")).unwrap(), b"");
    }

    #[test]
    fn what_cannot_be_opened_says_why() {
        let folder = Folder::new("open");
        assert_eq!(
            to_path(&folder.path("no/events"), X, ENDS),
            Err(Failure::Errno(libc::ENOENT))
        );
        assert_eq!(
            to_path(&folder.path(""), X, ENDS),
            Err(Failure::Errno(libc::EISDIR))
        );
        let fifo = folder.path("fifo");
        // SAFETY: the path is NUL-terminated.
        assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
        assert_eq!(to_path(&fifo, X, ENDS), Err(Failure::Errno(libc::ENXIO)));
        assert_eq!(
            to_path(c"/dev/full", X, ENDS),
            Err(Failure::Errno(libc::ENOSPC))
        );
    }

    #[test]
    fn descriptors_that_cannot_take_it_say_why() {
        assert_eq!(to_fd(-1, X, ENDS), Err(Failure::Errno(libc::EBADF)));
        let (read, write) = pipe();
        // Its read end is no place to write to, though /proc would open it so.
        assert_eq!(
            to_fd(read.as_raw_fd(), X, ENDS),
            Err(Failure::Errno(libc::EBADF))
        );
        drop(read);
        // No SIGPIPE kills the test.
        assert_eq!(
            to_fd(write.as_raw_fd(), X, ENDS),
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
        to_fd(fd, Bytes::Text(&filling), ENDS).unwrap();
        assert_eq!(to_fd(fd, event(b"\nlost"), ENDS), Err(Failure::Full));
        // The next part of the same report does not wait as long again.
        let start = now_ms();
        assert_eq!(
            to_fd(fd, event(b"\nlost as well"), ENDS),
            Err(Failure::Full)
        );
        assert!(now_ms() - start < ENDS.patience());
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
            write_whole(write.as_raw_fd(), &bytes, way, ENDS).unwrap();
            drop(write);
            assert_eq!(reader.join().unwrap(), bytes);
        }
    }

    #[test]
    fn a_socket_is_written_to() {
        let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        to_fd(theirs.as_raw_fd(), event(b"\nevent\n"), ENDS).unwrap();
        drop(theirs);
        let mut got = String::new();
        ours.read_to_string(&mut got).unwrap();
        assert_eq!(got, "event\n");
    }
}
