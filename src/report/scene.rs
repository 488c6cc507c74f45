//! What a report says of the process that makes it: where it runs and what it is.
//!
//! Asked of the kernel with single system calls when the report is made, because a process may
//! change its directory at any time. No allocation, no lock; what cannot be known stays empty.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::limit::Admitted;
use crate::config;
use crate::sys::command_line;

unsafe extern "C" {
    /// glibc's own pointer to the first argument, set before any constructor runs.
    static program_invocation_name: *const c_char;
}

/// Bytes kept of a path.
const PATH: usize = 1024;

/// Room for what [`Scene::ask`] is told.
pub struct Room {
    cwd: [u8; PATH],
    exe: [u8; PATH],
}

impl Room {
    /// Empty room.
    pub const EMPTY: Self = Self {
        cwd: [0; PATH],
        exe: [0; PATH],
    };
}

/// The process, as a report names it.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The working directory.
    pub cwd: &'a str,
    /// The executable's path.
    pub exe: &'a str,
    /// The first argument it was started with.
    pub argv0: &'a str,
    /// All of them, each with its NUL, where `FORKGUARD_REPORT_ARGV` asks for them.
    pub arguments: Option<&'static [u8]>,
    /// Its parent.
    pub ppid: i32,
    /// What is to be told of events that were not written.
    pub omitted: Admitted,
    /// Whether the text is to be coloured.
    pub colour: bool,
}

impl Scene<'static> {
    /// A process of which nothing is known.
    pub const UNKNOWN: Self = Self {
        cwd: "",
        exe: "",
        argv0: "",
        arguments: None,
        ppid: 0,
        omitted: Admitted {
            suppressed: 0,
            lost: 0,
        },
        colour: false,
    };
}

impl<'a> Scene<'a> {
    /// Asks the kernel.
    pub fn ask(room: &'a mut Room, colour: bool) -> Self {
        Self {
            cwd: cwd(&mut room.cwd),
            exe: exe(&mut room.exe),
            argv0: argv0(),
            arguments: config::get()
                .report_argv
                .then(command_line::kept_arguments)
                .flatten(),
            // SAFETY: getppid takes nothing and always succeeds.
            ppid: unsafe { libc::getppid() },
            omitted: Admitted::default(),
            colour,
        }
    }
}

/// The working directory, by the bare system call: libc's `getcwd` may allocate.
pub fn cwd(room: &mut [u8]) -> &str {
    // SAFETY: the kernel writes at most `room.len()` bytes into `room`, which is ours alone.
    let len = unsafe { libc::syscall(libc::SYS_getcwd, room.as_mut_ptr(), room.len()) };
    // The length includes the NUL.
    let len = usize::try_from(len).unwrap_or(0).saturating_sub(1);
    let path = room
        .get(..len)
        .and_then(|path| core::str::from_utf8(path).ok());
    // Outside of the process's root the kernel answers "(unreachable)/…".
    path.filter(|path| path.starts_with('/'))
        .unwrap_or_default()
}

fn exe(room: &mut [u8]) -> &str {
    // SAFETY: the name is NUL-terminated, and the kernel writes at most `room.len()` bytes into
    // `room`, which is ours alone.
    let len = unsafe {
        libc::readlink(
            c"/proc/self/exe".as_ptr(),
            room.as_mut_ptr().cast(),
            room.len(),
        )
    };
    let len = usize::try_from(len).unwrap_or(0);
    room.get(..len)
        .and_then(|path| core::str::from_utf8(path).ok())
        .unwrap_or_default()
}

/// Bytes of the first argument that are told: whoever starts a program may give it any name.
const NAME: usize = 1024;

/// The first argument, as the program was started with it.
struct Kept {
    name: UnsafeCell<[u8; NAME]>,
    len: AtomicUsize,
}

// SAFETY: written by `remember` alone, before the program has a thread; after that only read.
unsafe impl Sync for Kept {}

static KEPT: Kept = Kept {
    name: UnsafeCell::new([0; NAME]),
    len: AtomicUsize::new(0),
};

/// Keeps what a program may write over later: a server's title shows its arguments there, which
/// are nobody's to tell. Called once, by the constructor.
pub fn remember() {
    let name = invocation_name();
    let name = &name[..name.len().min(NAME)];
    // SAFETY: the constructor is alone, and nobody has a reference before there is a length.
    unsafe { (&mut *KEPT.name.get())[..name.len()].copy_from_slice(name) };
    KEPT.len.store(name.len(), Ordering::Release);
    if config::get().report_argv {
        command_line::keep();
    }
}

fn invocation_name() -> &'static [u8] {
    // SAFETY: glibc defines this pointer and sets it before constructors; it is read only.
    let name = unsafe { program_invocation_name };
    if name.is_null() {
        return b"";
    }
    // SAFETY: it points to a NUL-terminated string (argv[0], or glibc's empty one) that lives as
    // long as the process.
    unsafe { CStr::from_ptr(name) }.to_bytes()
}

/// The first argument the program was started with; of an endless one, the beginning.
pub fn argv0() -> &'static str {
    let len = KEPT.len.load(Ordering::Acquire);
    // SAFETY: see `Kept`: so many bytes were written, and nobody writes them again.
    let name = unsafe { &(&*KEPT.name.get())[..len] };
    match core::str::from_utf8(name) {
        Ok(name) => name,
        // Cut in the middle of a character, or never text at all.
        Err(error) => core::str::from_utf8(&name[..error.valid_up_to()]).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_this_process() {
        remember();
        let mut room = Room::EMPTY;
        let scene = Scene::ask(&mut room, false);
        assert_eq!(
            scene.cwd,
            std::env::current_dir().unwrap().to_str().unwrap()
        );
        assert_eq!(
            scene.exe,
            std::env::current_exe().unwrap().to_str().unwrap()
        );
        assert_eq!(scene.argv0, std::env::args().next().unwrap());
        assert_eq!(
            u32::try_from(scene.ppid).unwrap(),
            std::os::unix::process::parent_id()
        );
    }

    #[test]
    fn no_room_is_no_path() {
        assert_eq!(cwd(&mut [0; 1]), "");
    }
}
