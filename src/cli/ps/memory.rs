//! The bytes of a record, from wherever they can be had: the memfd by the descriptor that a process
//! keeps, the mapping of a process that has closed it, or its memory itself.
//!
//! A file of that name may be anybody's and anything: it is looked at before it is opened, and read
//! only where it is a file in memory.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use forkguard_record::read::{LEAST, SIZE};
use forkguard_record::{PATH, Snapshot};

use super::proc;

/// Descriptors and mappings of that name that are looked at in one process.
const MOST: usize = 8;
/// How often a record is read again that was being written.
const TIMES: usize = 20;

/// Which file it is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Identity {
    device: u64,
    /// The inode.
    pub inode: u64,
}

/// Two copies of a record's bytes, one read after the other.
pub type Copies = (Vec<u8>, Vec<u8>);

/// Where a process has a file of the record's name.
#[derive(Clone, Copy)]
pub enum Place {
    /// Open, by this number.
    Open(i32),
    /// Mapped, from the first address to the second.
    Mapped(u64, u64),
}

/// Why it could not be looked at.
pub enum Hidden {
    /// It is gone.
    Gone,
    /// It is somebody else's.
    Denied,
}

/// The files of that name that a process has open.
pub fn open(pid: i32) -> Result<Vec<(Identity, Place)>, Hidden> {
    let folder = fs::read_dir(proc::path(pid, "fd")).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => Hidden::Denied,
        _ => Hidden::Gone,
    })?;
    let mut found = Vec::new();
    for entry in folder.flatten() {
        let path = entry.path();
        let target = fs::read_link(&path);
        // Of a process in another user namespace the numbers may be seen, and not what they are.
        if target
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
        {
            return Err(Hidden::Denied);
        }
        let named = target.is_ok_and(|target| target == Path::new(PATH));
        let number = entry.file_name().to_str().and_then(|fd| fd.parse().ok());
        if let (true, Some(fd)) = (named, number)
            && is_for_writing(&path)
            && let Some((file, _)) = in_memory(&path)
        {
            found.push((file, Place::Open(fd)));
            if found.len() == MOST {
                break;
            }
        }
    }
    Ok(found)
}

/// Whether the process may write what it has open there. Who only looks at a record, as this command
/// does by several threads, has it open for reading, and is not of the family.
fn is_for_writing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|about| about.mode() & libc::S_IWUSR != 0)
}

/// The files of that name that a process has mapped. It may never answer.
pub fn mapped(pid: i32) -> Vec<(Identity, Place)> {
    let maps = proc::read(pid, "maps").unwrap_or_default();
    let maps = String::from_utf8_lossy(&maps);
    let mut found = Vec::new();
    let mut known = HashSet::new();
    for line in maps.lines().filter(|line| line.ends_with(PATH)) {
        if let Some((file, place)) = mapping(line)
            && known.insert(file)
        {
            found.push((file, place));
        }
    }
    found.truncate(MOST);
    found
}

/// `7f00-7f01 rw-s 00000000 00:01 123   /memfd:forkguard (deleted)`, from the file's beginning.
pub(super) fn mapping(line: &str) -> Option<(Identity, Place)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let offset = hex(fields.nth(1)?)?;
    let (major, minor) = fields.next()?.split_once(':')?;
    let inode = fields.next()?.parse().ok()?;
    let device = libc::makedev(
        u32::from_str_radix(major, 16).ok()?,
        u32::from_str_radix(minor, 16).ok()?,
    );
    let is_it = fields.collect::<Vec<_>>().join(" ") == PATH && offset == 0;
    let place = Place::Mapped(hex(start)?, hex(end)?);
    is_it.then_some((Identity { device, inode }, place))
}

/// The file, where it is one in memory that nobody can open by a name; not yet open for reading,
/// which may have effects.
fn in_memory(path: &Path) -> Option<(Identity, File)> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(path)
        .ok()?;
    let about = file.metadata().ok()?;
    // SAFETY: plain numbers, for which zero is a value.
    let mut system: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: a descriptor, and a place for the answer.
    let asked = unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut system) };
    let of_memory = asked == 0 && system.f_type == libc::TMPFS_MAGIC;
    let key = Identity {
        device: about.dev(),
        inode: about.ino(),
    };
    (of_memory && about.is_file() && about.nlink() == 0).then_some((key, file))
}

/// The record's bytes, from that place of that process, if they may be read. A process that has closed
/// the file may never answer.
pub fn read(pid: i32, place: Place) -> Option<Copies> {
    match place {
        Place::Open(fd) => read_file(&proc::path(pid, &format!("fd/{fd}"))),
        Place::Mapped(start, end) => {
            let name = format!("map_files/{start:x}-{end:x}");
            read_file(&proc::path(pid, &name)).or_else(|| {
                let memory = File::open(proc::path(pid, "mem")).ok()?;
                copies(|| from_memory(&memory, start))
            })
        }
    }
}

fn read_file(path: &Path) -> Option<Copies> {
    let (_, file) = in_memory(path)?;
    let same = format!("/proc/self/fd/{}", file.as_raw_fd());
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(same)
        .ok()?;
    copies(|| from_file(&file))
}

/// Two of them; more, where it was being written.
fn copies(copy: impl Fn() -> Option<Vec<u8>>) -> Option<Copies> {
    let mut copies = (copy()?, copy()?);
    for _ in 0..TIMES {
        match Snapshot::new(&copies.0, &copies.1) {
            Ok(seen) if seen.is_changing() => {}
            Err(forkguard_record::Unreadable::Unfinished) => {}
            _ => break,
        }
        let latest = copy()?;
        copies = (copies.1, latest);
    }
    Some(copies)
}

/// A record in a process's memory.
fn from_memory(memory: &File, at: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; SIZE];
    let len = fill(memory, &mut bytes, at)?;
    bytes.truncate(len);
    Some(bytes)
}

/// A record in a file, up to the last of what has been written: most families have few children, and a
/// record has room for many.
fn from_file(file: &File) -> Option<Vec<u8>> {
    let len = file.metadata().ok()?.len();
    let size = usize::try_from(len).unwrap_or(SIZE).min(SIZE);
    let mut bytes = Vec::new();
    while let Some(written) = written(file, bytes.len()).filter(|written| written.start < size) {
        let (start, end) = (written.start, written.end.min(size));
        bytes.resize(end, 0);
        if fill(file, &mut bytes[start..], start as u64)? < end - start {
            return None;
        }
    }
    // What was not written is known as well.
    bytes.resize(bytes.len().max(size.min(LEAST)), 0);
    Some(bytes)
}

/// The next part of the file that was written; the rest of it, where the kernel does not tell.
fn written(file: &File, from: usize) -> Option<Range<usize>> {
    let seek = |from: usize, whence| {
        // SAFETY: takes a descriptor of ours and numbers.
        let at = unsafe { libc::lseek(file.as_raw_fd(), from as libc::off_t, whence) };
        usize::try_from(at).map_err(|_| io::Error::last_os_error())
    };
    match seek(from, libc::SEEK_DATA) {
        Ok(start) => Some(start..seek(start, libc::SEEK_HOLE).unwrap_or(usize::MAX)),
        // There is none.
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => None,
        Err(_) => Some(from..usize::MAX),
    }
}

/// Answers how many bytes there were.
fn fill(file: &File, bytes: &mut [u8], at: u64) -> Option<usize> {
    let mut len = 0;
    while len < bytes.len() {
        match file.read_at(&mut bytes[len..], at + len as u64) {
            Ok(0) => break,
            Ok(got) => len += got,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_found_by_its_whole_name() {
        let line =
            "7f0000000000-7f0000021000 rw-s 00000000 00:01 1043   /memfd:forkguard (deleted)";
        let (file, place) = mapping(line).unwrap();
        assert_eq!(file.inode, 1043);
        assert_eq!(file.device, libc::makedev(0, 1));
        assert!(matches!(
            place,
            Place::Mapped(0x7f00_0000_0000, 0x7f00_0002_1000)
        ));
        for other in [
            "7f00-7f01 rw-s 00001000 00:01 1043   /memfd:forkguard (deleted)",
            "7f00-7f01 rw-s 00000000 00:01 1043   /tmp/memfd:forkguard (deleted)",
            "7f00-7f01 rw-s /memfd:forkguard (deleted)",
            "",
        ] {
            assert!(mapping(other).is_none(), "{other}");
        }
    }
}
