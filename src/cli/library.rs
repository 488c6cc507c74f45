//! Where the guard's library lies: beside the command, or where an installation puts it.

use std::env;
use std::path::{Path, PathBuf};

use crate::trouble::{FAILED, Trouble, reason};

/// The library's file name.
const NAME: &str = "libforkguard.so";
/// Where it may lie, from the folder of the command: beside it (a build, a tarball), or in the
/// folders of the prefix that the command is installed in (of the wheel, `libexec`).
const PLACES: [&str; 5] = [
    ".",
    "../lib/forkguard",
    "../libexec/forkguard",
    "../lib",
    "../lib64",
];

/// The library that `named` gives, else the one that came with this command.
pub fn find(named: Option<&Path>) -> Result<PathBuf, Trouble> {
    if let Some(path) = named {
        return path.canonicalize().map_err(|error| {
            let why = reason(&error);
            Trouble::new(FAILED, format!("--library {}: {why}", path.display()))
        });
    }
    beside(NAME).ok_or_else(|| {
        let command = command();
        let folder = command.parent().unwrap_or(Path::new("/"));
        Trouble::new(
            FAILED,
            format!(
                "{NAME} is not there: it should be in {} or in {}; install forkguard again, or \
                 name the file with --library",
                folder.display(),
                folder.join(PLACES[1]).display()
            ),
        )
    })
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

fn command() -> PathBuf {
    env::current_exe()
        .and_then(|path| path.canonicalize())
        .unwrap_or_default()
}
