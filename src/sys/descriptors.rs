//! The file descriptors of this process, and which of them are the driver's.
//!
//! By `/proc/self/fd`, with bare system calls and a small buffer: it is also asked in a forked
//! child, on whatever stack that has.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicI32, Ordering};

use super::raw::checked;

const CLOSE_ON_EXEC: usize = libc::FD_CLOEXEC as usize;
/// Where the number, the type and the name of an entry of a directory are (`linux_dirent64`).
const LENGTH_AT: usize = 16;
const NAME_AT: usize = 19;

/// A descriptor that threads share, or a negative number where there is none. The bits are kept
/// inverted: a table of which each has -1 is zeros, which take no room in the library's file and no
/// memory before they are written.
pub struct DescriptorCell(AtomicI32);

impl DescriptorCell {
    /// With this one in it.
    pub const fn new(fd: c_int) -> Self {
        Self(AtomicI32::new(!fd))
    }

    /// The one in it.
    pub fn load(&self, order: Ordering) -> c_int {
        !self.0.load(order)
    }

    /// Puts one into it.
    pub fn store(&self, fd: c_int, order: Ordering) {
        self.0.store(!fd, order);
    }

    /// Puts one into it; answers the one before.
    pub fn swap(&self, fd: c_int, order: Ordering) -> c_int {
        !self.0.swap(!fd, order)
    }

    /// Puts `after` in the place of `before`, if that is what is in it.
    pub fn exchange(&self, before: c_int, after: c_int) -> bool {
        self.0
            .compare_exchange(!before, !after, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

/// Gives each open descriptor to `visit`; the error is why they cannot be known.
pub fn each_open(mut visit: impl FnMut(c_int)) -> Result<(), c_int> {
    each_number(c"/proc/self/fd", |fd, reading| {
        if fd != reading {
            visit(fd);
        }
    })
}

/// Gives each name in the folder that is a number to `visit`, with the descriptor by which the
/// folder is read; the error is why they cannot be known.
pub fn each_number(path: &CStr, mut visit: impl FnMut(c_int, c_int)) -> Result<(), c_int> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: a C string and flags.
    let folder =
        checked(unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) })?
            as c_int;
    let mut room = [0_u8; 1024];
    let result = loop {
        // SAFETY: the kernel writes at most `room.len()` bytes into `room`.
        let got = checked(unsafe {
            libc::syscall(libc::SYS_getdents64, folder, room.as_mut_ptr(), room.len())
        });
        let got = match got {
            Ok(0) => break Ok(()),
            Ok(got) => got,
            Err(errno) => break Err(errno),
        };
        let mut rest = &room[..got];
        while let Some((entry, after)) = first_entry(rest) {
            if let Some(number) = number(entry) {
                visit(number, folder);
            }
            rest = after;
        }
    };
    // SAFETY: opened above.
    unsafe { libc::syscall(libc::SYS_close, folder) };
    result
}

/// The name in the first entry of `listing`, and what follows that entry.
fn first_entry(listing: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = listing.get(LENGTH_AT..LENGTH_AT + 2)?;
    let len = usize::from(u16::from_ne_bytes([len[0], len[1]]));
    let name = listing.get(NAME_AT..len)?;
    let end = name.iter().position(|&byte| byte == 0)?;
    Some((&name[..end], &listing[len..]))
}

fn number(name: &[u8]) -> Option<c_int> {
    core::str::from_utf8(name).ok()?.parse().ok()
}

/// Whether the descriptor is open on the GPU's driver: no other process may have it.
pub fn is_drivers(fd: c_int) -> bool {
    let mut path = [0_u8; 40];
    let mut out = crate::report::buffer::Buffer::new(&mut path);
    out.put(format_args!("/proc/self/fd/{fd}\0"));
    let mut target = [0_u8; 64];
    // SAFETY: a C string, and room that the kernel writes no further than it is told.
    let len = checked(unsafe {
        libc::syscall(
            libc::SYS_readlinkat,
            libc::AT_FDCWD,
            path.as_ptr(),
            target.as_mut_ptr(),
            target.len(),
        )
    });
    len.is_ok_and(|len| is_drivers_path(&target[..len]))
}

/// Whether a file of this path is.
pub fn is_drivers_path(path: &[u8]) -> bool {
    path.starts_with(b"/dev/nvidia") || path.starts_with(b"/proc/driver/nvidia")
}

/// Whether it is closed when another program is executed; `None` where it is not open, or that cannot be
/// known.
pub fn closes_on_exec(fd: c_int) -> Option<bool> {
    // SAFETY: only asks, of any number.
    let flags = checked(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GETFD) }).ok()?;
    Some(flags & CLOSE_ON_EXEC != 0)
}

/// Says whether it is to be closed when another program is executed.
pub fn close_on_exec(fd: c_int, close: bool) {
    let flags = if close { CLOSE_ON_EXEC } else { 0 };
    // SAFETY: a descriptor's one flag; no other one is defined.
    unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_SETFD, flags) };
}

/// Says that another program that is executed is to have it; the error is why it cannot.
pub fn keep_on_exec(fd: c_int) -> Result<(), c_int> {
    // SAFETY: as in `close_on_exec`.
    checked(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_SETFD, 0) }).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn every_open_descriptor_is_seen() {
        // More than one buffer of the kernel's answer.
        let files: Vec<_> = (0..100)
            .map(|_| std::fs::File::open("/dev/null").unwrap())
            .collect();
        let mut seen = Vec::new();
        each_open(|fd| seen.push(fd)).unwrap();
        for file in &files {
            assert!(seen.contains(&file.as_raw_fd()), "{seen:?}");
        }
        assert!(!is_drivers(files[0].as_raw_fd()));
    }

    #[test]
    fn the_flag_is_read_and_set() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let fd = file.as_raw_fd();
        assert_eq!(closes_on_exec(fd), Some(true));
        close_on_exec(fd, false);
        assert_eq!(closes_on_exec(fd), Some(false));
        close_on_exec(fd, true);
        assert_eq!(keep_on_exec(fd), Ok(()));
        assert_eq!(closes_on_exec(fd), Some(false));
        drop(file);
        assert_eq!(closes_on_exec(-1), None);
        assert_eq!(keep_on_exec(-1), Err(libc::EBADF));
    }

    #[test]
    fn what_is_the_drivers() {
        for path in [
            "/dev/nvidia0",
            "/dev/nvidiactl",
            "/dev/nvidia-uvm",
            "/dev/nvidia-caps/cap1",
        ] {
            assert!(is_drivers_path(path.as_bytes()));
        }
        assert!(!is_drivers_path(b"/dev/null"));
        assert!(!is_drivers_path(b"/home/me/dev/nvidia0"));
    }
}
