//! Why the guard's library does not get into a program: what the loader would not do, or who is
//! there in its place.

use std::ffi::CString;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Program;
use crate::elf::{Elf, Machine};
use crate::library::mount_flags;

/// What keeps the guard out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// No loader runs.
    Static,
    /// The loader runs for another user than the one who says what to preload.
    OtherRights(&'static str),
    /// Its code is for another machine.
    OtherMachine { program: Machine, library: Machine },
    /// Its loader is another C library's.
    OtherLoader(PathBuf),
    /// What is between takes the variable out of the environment.
    Cleared(String),
}

impl Hindrance {
    /// Whether the program would not start with the library preloaded.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::OtherLoader(_))
    }

    /// What can be done about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Static => "link it dynamically, or run a build of it that is",
            Self::OtherRights(_) => {
                "name the library in /etc/ld.so.preload, which holds for such programs, too"
            }
            Self::OtherMachine { .. } => "install forkguard for that machine beside it",
            Self::OtherLoader(_) => "run a build of it for glibc",
            Self::Cleared(_) => "set LD_PRELOAD behind it",
        }
    }
}

/// A sentence that begins with the program's name.
impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => f.write_str(
                "is statically linked, so no loader runs that could load the guard: it is not \
                 guarded, only what it starts",
            ),
            Self::OtherRights(how) => write!(
                f,
                "{how}, and for such programs the loader ignores LD_PRELOAD: neither it nor what \
                 it starts is guarded"
            ),
            Self::OtherMachine { program, library } => write!(
                f,
                "is for {program} and the guard for {library}: its loader says that it ignores \
                 the guard, and it is not guarded, only what it starts"
            ),
            Self::OtherLoader(loader) => write!(
                f,
                "is loaded by {}, and the guard is for glibc: it runs without, and so does what \
                 it starts",
                loader.display()
            ),
            Self::Cleared(word) => write!(
                f,
                "is started by way of {word}, which takes the guard out of its environment: it is \
                 not guarded"
            ),
        }
    }
}

pub(super) fn of(program: &Program, library: Option<&Elf>) -> Option<Hindrance> {
    if let Some(word) = &program.cleared_by {
        return Some(Hindrance::Cleared(word.clone()));
    }
    let elf = program.elf.as_ref()?;
    if let Some(library) = library.filter(|library| library.machine != elf.machine) {
        return Some(Hindrance::OtherMachine {
            program: elf.machine,
            library: library.machine,
        });
    }
    match &elf.loader {
        None if is_glibcs(&program.path) => {}
        None => return Some(Hindrance::Static),
        Some(loader) if !is_glibcs(loader) => return Some(Hindrance::OtherLoader(loader.clone())),
        Some(_) => {}
    }
    other_rights(&program.path).map(Hindrance::OtherRights)
}

/// Whether a loader is glibc's, by its name: `ld-linux-x86-64.so.2`, `ld.so`, `ld-2.31.so`.
fn is_glibcs(loader: &Path) -> bool {
    let path = loader.canonicalize();
    let name = path.as_deref().unwrap_or(loader).file_name();
    let name = name.unwrap_or_default().as_bytes();
    [&b"ld-linux"[..], b"ld.so", b"ld64.so", b"ld-2."]
        .iter()
        .any(|begin| name.starts_with(begin))
}

/// How the kernel gives the program other rights than its caller's, where it does.
fn other_rights(path: &Path) -> Option<&'static str> {
    let data = fs::metadata(path).ok()?;
    // SAFETY: these take nothing, or plain numbers, and change nothing.
    let (user, group, no_new) = unsafe {
        (
            libc::getuid(),
            libc::getgid(),
            libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
        )
    };
    if no_new == 1 || mount_flags(path) & libc::ST_NOSUID != 0 {
        return None;
    }
    let both = libc::S_ISGID | libc::S_IXGRP;
    if data.mode() & libc::S_ISUID != 0 && data.uid() != user {
        Some("runs with its owner's rights (setuid)")
    } else if data.mode() & both == both && data.gid() != group {
        Some("runs with its group's rights (setgid)")
    } else if user != 0 && has_capabilities(path) {
        Some("runs with capabilities of its own (setcap)")
    } else {
        None
    }
}

fn has_capabilities(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    let name = c"security.capability";
    // SAFETY: two strings that end with a NUL; no memory is given to be filled.
    unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) > 0 }
}
