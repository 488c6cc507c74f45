//! Where the guard's library lies: beside the command, or where an installation puts it; and
//! whether it can be preloaded from there.

use std::env;
use std::path::{Path, PathBuf};

use crate::elf::Elf;
use crate::preload;
use crate::program::find as find_program;
use crate::trouble::{FAILED, Trouble, reason};

/// Where it may lie, from the folder of the command: beside it (a build, a tarball), or in the
/// folders of the prefix that the command is installed in (of the wheel, `libexec`).
const PLACES: [&str; 5] = [
    ".",
    "../lib/forkguard",
    "../libexec/forkguard",
    "../lib",
    "../lib64",
];

/// The library that `named` gives, else the one that came with this command, by a path that
/// `LD_PRELOAD` can hold.
pub fn find(named: Option<&Path>) -> Result<PathBuf, Trouble> {
    let path = lying(named)?;
    check(&path, named.is_some())?;
    preload::as_one_word(path.clone()).map_err(|error| {
        Trouble::new(
            FAILED,
            format!(
                "{} cannot be preloaded: the loader takes the spaces, colons and dollars of its \
                 path for marks of its own, and it could not be linked to another place ({}); \
                 install forkguard elsewhere",
                path.display(),
                reason(&error)
            ),
        )
    })
}

/// The file itself.
pub fn lying(named: Option<&Path>) -> Result<PathBuf, Trouble> {
    if let Some(path) = named {
        return path.canonicalize().map_err(|error| {
            let why = reason(&error);
            Trouble::new(FAILED, format!("--library {}: {why}", path.display()))
        });
    }
    beside(preload::GUARD).ok_or_else(|| {
        let command = command();
        let folder = command.parent().unwrap_or(Path::new("/"));
        Trouble::new(
            FAILED,
            format!(
                "{} is not there: it should be in {} or in {}; install forkguard again, or \
                 name the file with --library",
                preload::GUARD,
                folder.display(),
                folder.join(PLACES[1]).display()
            ),
        )
    })
}

/// Whether the loader can load it, as far as that shows before it does. What to do about it comes
/// behind the last semicolon.
fn check(path: &Path, is_named: bool) -> Result<(), Trouble> {
    let trouble = |why: &str| {
        let message = format!("{} cannot be preloaded: {why}", path.display());
        Err(Trouble::new(FAILED, message))
    };
    match Elf::read(path) {
        Err(error) => trouble(&reason(&error)),
        Ok(None) if is_named => {
            trouble("it is no library; name the guard's, or leave --library out")
        }
        Ok(None) => trouble("it is no library; install forkguard again"),
        Ok(Some(_)) if is_noexec(path) => trouble(
            "the file system that it lies on is mounted with noexec; install forkguard elsewhere",
        ),
        Ok(Some(_)) => Ok(()),
    }
}

/// Whether no code of the file may be run.
fn is_noexec(path: &Path) -> bool {
    mount_flags(path) & libc::ST_NOEXEC != 0
}

/// How the file system is mounted that a file lies on; 0 where it cannot be told.
pub fn mount_flags(path: &Path) -> libc::c_ulong {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else {
        return 0;
    };
    // SAFETY: `statvfs` is plain numbers, for which zero is a value.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with a NUL, and the kernel's answer is written into ours.
    match unsafe { libc::statvfs(path.as_ptr(), &raw mut found) } {
        0 => found.f_flag,
        _ => 0,
    }
}

/// A file that came with this command, by its name.
pub fn beside(name: &str) -> Option<PathBuf> {
    let command = command();
    let folder = command.parent()?;
    PLACES
        .iter()
        .map(|place| folder.join(place).join(name))
        .find(|path| path.is_file())
        .and_then(|path| path.canonicalize().ok())
}

/// This command's own file. Without `/proc` it is looked for as the shell did.
pub fn command() -> PathBuf {
    let by_name = |_| find_program(&env::args_os().next().unwrap_or_default());
    env::current_exe()
        .or_else(by_name)
        .and_then(|path| path.canonicalize())
        .unwrap_or_default()
}
