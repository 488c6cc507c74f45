//! A driver for programs on a machine without one: it has no device, and says so.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::library;
use crate::trouble::{FAILED, Trouble, reason};

/// The stand-in's file name.
const NAME: &str = "libforkguard_standin.so";
/// The folders that the loader looks into first.
const FOLDERS: &str = "LD_LIBRARY_PATH";

/// The library that stands in for `libcuda.so.1`.
pub struct StandIn(PathBuf);

impl StandIn {
    /// The stand-in, where this machine has no driver that can be loaded.
    pub fn where_needed() -> Result<Option<Self>, Trouble> {
        if driver_can_be_loaded() {
            return Ok(None);
        }
        match library::beside(NAME) {
            Some(path) => Ok(Some(Self(path))),
            None => Err(Trouble::new(
                FAILED,
                format!(
                    "this machine has no libcuda.so.1, and {NAME}, which stands in for it, is not \
                     beside the command; install forkguard again"
                ),
            )),
        }
    }

    /// Has `command` find it behind whatever it finds without; `folder` is private and outlives the
    /// program.
    pub fn give(&self, command: &mut Command, folder: &Path) -> Result<(), Trouble> {
        let own = folder.join("driver");
        fs::create_dir(&own)
            .and_then(|()| symlink(&self.0, own.join("libcuda.so.1")))
            .map_err(|error| {
                let why = reason(&error);
                Trouble::new(FAILED, format!("no driver can be put there: {why}"))
            })?;
        let before = std::env::var_os(FOLDERS);
        command.env(FOLDERS, behind(before.as_deref(), &own));
        Ok(())
    }
}

/// The list with one more folder at its end.
fn behind(before: Option<&OsStr>, folder: &Path) -> OsString {
    let mut all = before.unwrap_or_default().to_owned();
    if !all.is_empty() {
        all.push(":");
    }
    all.push(folder);
    all
}

/// Whether the loader finds a driver here, as it will for the program.
fn driver_can_be_loaded() -> bool {
    // SAFETY: the name is a C string. Loading a driver runs its constructors, which initialise
    // nothing: every program that looks for CUDA does so.
    let library = unsafe { libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_LAZY) };
    if library.is_null() {
        return false;
    }
    // SAFETY: gives back what was taken above.
    unsafe { libc::dlclose(library) };
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stand_in_comes_behind_what_is_there() {
        for (before, expected) in [
            (None, "/f"),
            (Some(""), "/f"),
            (Some("/a"), "/a:/f"),
            (Some("/a:/b"), "/a:/b:/f"),
        ] {
            assert_eq!(behind(before.map(OsStr::new), Path::new("/f")), expected);
        }
    }
}
