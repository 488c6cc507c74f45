//! A driver for programs on a machine without one: it has no device, and says so.

use std::ffi::{CStr, OsStr, OsString};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::library;
use crate::trouble::{FAILED, Trouble, reason};

/// The driver, and NVML, by which programs count devices without it: the names by which a driver's
/// installation has them, and the file of each stand-in.
const DRIVER: ([&CStr; 2], &str) = ([c"libcuda.so.1", c"libcuda.so"], "libforkguard_standin.so");
const NVML: ([&CStr; 2], &str) = (
    [c"libnvidia-ml.so.1", c"libnvidia-ml.so"],
    "libforkguard_standin_nvml.so",
);
/// The folders that the loader looks into first.
const FOLDERS: &str = "LD_LIBRARY_PATH";

/// The libraries that stand in for the driver's, each with the name it is looked for by.
pub struct StandIn(Vec<(&'static CStr, PathBuf)>);

impl StandIn {
    /// The stand-ins, where this machine has no driver that can be loaded.
    pub fn where_needed() -> Result<Option<Self>, Trouble> {
        if can_be_loaded(DRIVER.0[0]) {
            return Ok(None);
        }
        let mut found = Vec::new();
        for (names, file) in [DRIVER, NVML] {
            for name in names.into_iter().filter(|name| !can_be_loaded(name)) {
                let Some(path) = library::beside(file) else {
                    return Err(Trouble::new(
                        FAILED,
                        format!(
                            "this machine has no {}, and {file}, which stands in for it, is not \
                             beside the command; install forkguard again",
                            name.to_string_lossy()
                        ),
                    ));
                };
                found.push((name, path));
            }
        }
        Ok(Some(Self(found)))
    }

    /// Has `command` find them behind whatever it finds without; `folder` is private and outlives
    /// the program.
    pub fn give(&self, command: &mut Command, folder: &Path) -> Result<(), Trouble> {
        let own = folder.join("driver");
        fs::create_dir(&own)
            // Whatever the umask is: the program may go on as another user.
            .and_then(|()| fs::set_permissions(&own, PermissionsExt::from_mode(0o755)))
            .and_then(|()| {
                self.0
                    .iter()
                    .try_for_each(|(name, path)| symlink(path, own.join(&*name.to_string_lossy())))
            })
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

/// Whether the loader finds this library here, as it will for the program.
fn can_be_loaded(name: &CStr) -> bool {
    // SAFETY: the name is a C string. Loading one of the driver's libraries runs its constructors,
    // which initialise nothing: every program that looks for CUDA does so.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY) };
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
