//! The file descriptors of this process, and which of them are the driver's.
//!
//! By `/proc/self/fd`, with bare system calls and a small buffer: it is also asked in a forked
//! child, on whatever stack that has.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicI32, Ordering};

use super::raw::checked;

/// How the kernel calls what the guard makes by `memfd_create`.
const GUARDS: &[u8] = b"/memfd:forkguard";
/// Of these, what one worker is told.
const TOLD: [&[u8]; 2] = [b"/memfd:forkguard-entry ", b"/memfd:forkguard-payload "];
/// Bytes of a path that tell whose a descriptor is.
const TARGET: usize = 64;
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

/// Whose a descriptor is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The program's, or a library's of it.
    Program,
    /// Open on the GPU's driver: no other process may have it.
    Driver,
    /// Memory of the guard's own, made for this process or for one that another thread starts.
    Guard,
}

/// An open descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Open {
    /// Its number.
    pub fd: c_int,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it is closed when another program is executed.
    pub closes: bool,
}

/// Gives each open descriptor to `visit`, and what there is to know of it. An error where something of
/// it cannot be known: what is guessed, another program would lack, or have.
pub fn each_known(mut visit: impl FnMut(Open)) -> Result<(), c_int> {
    let mut unknown = None;
    each_open(|fd| {
        let known = owner(fd).and_then(|owner| {
            let closes = closes_on_exec(fd)?;
            Ok(Open { fd, owner, closes })
        });
        match known {
            Ok(open) => visit(open),
            // Another thread has closed it.
            Err(libc::ENOENT | libc::EBADF) => {}
            Err(errno) => unknown = Some(errno),
        }
    })?;
    unknown.map_or(Ok(()), Err)
}

/// Whether the descriptor is open on the GPU's driver.
pub fn is_drivers(fd: c_int) -> bool {
    owner(fd) == Ok(Owner::Driver)
}

/// Whether no other process may have it, but the one that it was made for: it is open on the GPU's driver,
/// or it is what a worker is told. Asked of a number that was a file of the program's a moment ago: another
/// thread may have closed that.
pub fn is_anothers(fd: c_int) -> bool {
    let mut room = [0; TARGET];
    target(fd, &mut room).is_ok_and(|target| {
        is_drivers_path(target) || TOLD.iter().any(|told| target.starts_with(told))
    })
}

fn owner(fd: c_int) -> Result<Owner, c_int> {
    let mut room = [0; TARGET];
    let target = target(fd, &mut room)?;
    Ok(if is_drivers_path(target) {
        Owner::Driver
    } else if target.starts_with(GUARDS) {
        Owner::Guard
    } else {
        Owner::Program
    })
}

/// What the kernel calls the file that is open there, or the beginning of it.
fn target(fd: c_int, room: &mut [u8; TARGET]) -> Result<&[u8], c_int> {
    let mut path = [0_u8; 40];
    let mut out = crate::report::buffer::Buffer::new(&mut path);
    out.put(format_args!("/proc/self/fd/{fd}\0"));
    // SAFETY: a C string, and room that the kernel writes no further than it is told.
    let len = checked(unsafe {
        libc::syscall(
            libc::SYS_readlinkat,
            libc::AT_FDCWD,
            path.as_ptr(),
            room.as_mut_ptr(),
            room.len(),
        )
    })?;
    Ok(&room[..len])
}

/// Whether a file of this path is.
pub fn is_drivers_path(path: &[u8]) -> bool {
    path.starts_with(b"/dev/nvidia") || path.starts_with(b"/proc/driver/nvidia")
}

/// Whether it is closed when another program is executed; the error is why that cannot be known.
pub fn closes_on_exec(fd: c_int) -> Result<bool, c_int> {
    // SAFETY: only asks, of any number.
    let flags = checked(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GETFD) })?;
    Ok(flags & CLOSE_ON_EXEC != 0)
}

/// Says whether it is to be closed when another program is executed; the error is why that cannot be
/// said.
pub fn close_on_exec(fd: c_int, close: bool) -> Result<(), c_int> {
    let flags = if close { CLOSE_ON_EXEC } else { 0 };
    // SAFETY: a descriptor's one flag; no other one is defined.
    checked(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_SETFD, flags) }).map(|_| ())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    /// A filter for this thread alone: `fcntl` is forbidden.
    pub fn forbid_fcntl() {
        let step = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
            code: code as u16,
            jt,
            jf,
            k,
        };
        let number = core::mem::offset_of!(libc::seccomp_data, nr) as u32;
        let mut steps = [
            step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, number, 0, 0),
            step(
                libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
                libc::SYS_fcntl as u32,
                0,
                1,
            ),
            step(
                libc::BPF_RET | libc::BPF_K,
                libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
                0,
                0,
            ),
            step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
        ];
        let filter = libc::sock_fprog {
            len: steps.len() as u16,
            filter: steps.as_mut_ptr(),
        };
        // SAFETY: the kernel copies the steps; they hold for this thread alone.
        unsafe {
            assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
            let mode = libc::SECCOMP_MODE_FILTER;
            assert_eq!(
                libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter),
                0
            );
        }
    }

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
        assert_eq!(closes_on_exec(fd), Ok(true));
        assert_eq!(close_on_exec(fd, false), Ok(()));
        assert_eq!(closes_on_exec(fd), Ok(false));
        drop(file);
        assert_eq!(closes_on_exec(-1), Err(libc::EBADF));
        assert_eq!(close_on_exec(-1, true), Err(libc::EBADF));
    }

    #[test]
    fn whose_each_is() {
        // SAFETY: C strings and flags; the numbers are this test's own.
        let (kept, ours) = unsafe {
            let kept = libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY);
            let ours = libc::memfd_create(c"forkguard-entry".as_ptr(), libc::MFD_CLOEXEC);
            (OwnedFd::from_raw_fd(kept), OwnedFd::from_raw_fd(ours))
        };
        let expected = [
            (kept.as_raw_fd(), Owner::Program, false),
            (ours.as_raw_fd(), Owner::Guard, true),
        ];
        let mut seen = Vec::new();
        each_known(|known| seen.push(known)).unwrap();
        for (fd, owner, closes) in expected {
            assert!(seen.contains(&Open { fd, owner, closes }), "{seen:?}");
        }
    }

    #[test]
    fn what_cannot_be_known_is_not_guessed() {
        std::thread::spawn(|| {
            forbid_fcntl();
            assert_eq!(each_known(|_| {}), Err(libc::EPERM));
        })
        .join()
        .unwrap();
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
