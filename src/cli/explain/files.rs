//! Files that an event names: it comes from another process, perhaps from another machine, so a
//! path in it may lead to anything.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::time::Stamp;

/// A regular file that was found.
pub struct Found {
    /// Where.
    pub path: PathBuf,
    /// Opened for reading.
    pub file: File,
    /// Its bytes.
    pub size: u64,
    /// When it was last changed.
    pub changed: Option<Stamp>,
}

/// Opens a recorded path, below `root` where one is given: then the program ran in the file system
/// that is there, and what has the same name elsewhere is another file. Anything but a regular file
/// (a device, a pipe that nobody writes to) counts as not there.
pub fn open(recorded: &str, root: Option<&Path>) -> Option<Found> {
    let recorded = Path::new(recorded);
    open_regular(match root {
        Some(root) => root.join(recorded.strip_prefix("/").unwrap_or(recorded)),
        None => recorded.to_owned(),
    })
}

fn open_regular(path: PathBuf) -> Option<Found> {
    // Asked before it is opened, because opening a device may have an effect; asked again of what
    // was opened, because the name may lead elsewhere by then.
    if !fs::metadata(&path).ok()?.is_file() {
        return None;
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(&path)
        .ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() {
        return None;
    }
    let changed = about
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .map(Stamp);
    Some(Found {
        size: about.len(),
        path,
        file,
        changed,
    })
}
