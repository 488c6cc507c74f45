//! Opening the file that events are appended to.
//!
//! The path comes from a setting, and the process may have more rights than whoever else can write
//! to the folders on the way. So the path is walked one component after the other, and nothing
//! that another user could have put there leads the events elsewhere: no symbolic link of theirs,
//! no file of theirs and no second name of a file in a folder that everybody may write to. The
//! last component is never a link.
//!
//! System calls only: no lock, no allocation but a mapping where a link is met. Nothing is
//! written here.

use core::ffi::{CStr, c_int};

use super::failure::Failure;
use crate::sys::program::Mapping;

/// Symbolic links followed on one way, as many as the kernel follows.
const LINKS: usize = 40;
/// Bytes of the longest path.
const PATH: usize = libc::PATH_MAX as usize;
/// Bytes of the longest component, with its NUL.
const NAME: usize = 256;

/// A descriptor that is closed when it is dropped.
pub struct Open(c_int);

impl Open {
    /// The number.
    pub fn fd(&self) -> c_int {
        self.0
    }

    /// Opens what a name of the kernel's own stands for, such as `/proc/self/fd/3`.
    pub fn anew(name: &CStr, flags: c_int) -> Result<Self, Failure> {
        Self::at(libc::AT_FDCWD, name, flags)
    }

    fn at(folder: c_int, name: &CStr, flags: c_int) -> Result<Self, Failure> {
        // SAFETY: the name is NUL-terminated; with O_CREAT the mode is given.
        let fd = unsafe { libc::openat(folder, name.as_ptr(), flags | libc::O_CLOEXEC, 0o600) };
        if fd < 0 {
            return Err(Failure::last());
        }
        Ok(Self(fd))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: opened here and given to nobody.
        unsafe { libc::close(self.0) };
    }
}

/// What a descriptor is, as far as it matters here: reports are made on small stacks.
#[derive(Clone, Copy)]
pub struct Stat {
    /// The type's bits and the rights'.
    pub mode: libc::mode_t,
    /// Its size in bytes.
    pub size: i64,
    owner: libc::uid_t,
    names: libc::nlink_t,
    device: libc::dev_t,
    number: libc::ino_t,
}

impl Stat {
    /// The type's bits: `S_IFREG` and the like.
    pub fn kind(&self) -> libc::mode_t {
        self.mode & libc::S_IFMT
    }
}

/// Asks for it.
#[inline(never)]
pub fn stat(fd: c_int) -> Result<Stat, Failure> {
    // SAFETY: `stat` is plain numbers, for which zero is a value.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel writes one `stat` into ours, and any number may be asked about.
    if unsafe { libc::fstat(fd, &raw mut stat) } != 0 {
        return Err(Failure::last());
    }
    Ok(Stat {
        mode: stat.st_mode,
        size: stat.st_size,
        owner: stat.st_uid,
        names: stat.st_nlink,
        device: stat.st_dev,
        number: stat.st_ino,
    })
}

/// Opens the file at `path` for events, making it where it is not there.
pub fn open(path: &CStr) -> Result<Open, Failure> {
    let mut room = [0; NAME];
    let way = Way::of(path, &mut room)?;
    let name = way.last(&mut room)?;
    // O_NONBLOCK: a named pipe without a reader is an error, not a wait.
    let flags = libc::O_WRONLY
        | libc::O_APPEND
        | libc::O_CREAT
        | libc::O_NOFOLLOW
        | libc::O_NOCTTY
        | libc::O_NONBLOCK;
    let file = Open::at(way.folder.fd(), name, flags)
        .map_err(|failure| way.is_link(name).unwrap_or(failure))?;
    let (folder, found) = (stat(way.folder.fd())?, stat(file.fd())?);
    if is_everybodys(&folder) && !is_trusted(found.owner) {
        return Err(Failure::Foreign);
    }
    let is_file = found.kind() == libc::S_IFREG;
    if is_others(&folder) && is_file && found.names > 1 {
        return Err(Failure::Linked);
    }
    Ok(file)
}

/// The same file for reading, if it may be read.
pub fn again(file: c_int, path: &CStr) -> Option<Open> {
    let mut room = [0; NAME];
    let way = Way::of(path, &mut room).ok()?;
    let name = way.last(&mut room).ok()?;
    let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_NONBLOCK;
    let other = Open::at(way.folder.fd(), name, flags).ok()?;
    let (one, two) = (stat(file).ok()?, stat(other.fd()).ok()?);
    ((one.device, one.number) == (two.device, two.number)).then_some(other)
}

/// Whether somebody's files and links are as good as our own.
fn is_trusted(user: libc::uid_t) -> bool {
    // SAFETY: geteuid takes nothing and always succeeds.
    user == 0 || user == unsafe { libc::geteuid() }
}

/// Whether everybody may make files and links in a folder.
fn is_everybodys(folder: &Stat) -> bool {
    folder.mode & libc::S_IWOTH != 0
}

/// Whether another user may make files and links in a folder.
fn is_others(folder: &Stat) -> bool {
    is_everybodys(folder) || !is_trusted(folder.owner)
}

/// Room for a component of a path.
type Room = [u8; NAME];

/// A component with its NUL.
fn component<'a>(bytes: &[u8], room: &'a mut Room) -> Result<&'a CStr, Failure> {
    let Some(place) = room.get_mut(..=bytes.len()) else {
        return Err(Failure::Errno(libc::ENAMETOOLONG));
    };
    let (name, nul) = place.split_at_mut(bytes.len());
    name.copy_from_slice(bytes);
    nul[0] = 0;
    CStr::from_bytes_with_nul(place).map_err(|_| Failure::Errno(libc::EINVAL))
}

/// The folder that a path leads to, and what the path names in it.
struct Way<'a> {
    folder: Open,
    last: &'a [u8],
}

impl<'a> Way<'a> {
    fn of(path: &'a CStr, room: &mut Room) -> Result<Self, Failure> {
        let path = path.to_bytes();
        let (folders, last) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => path.split_at(slash + 1),
            None => (&path[..0], path),
        };
        let folder = walk(folders, room)?;
        Ok(Self { folder, last })
    }

    fn last<'b>(&self, room: &'b mut Room) -> Result<&'b CStr, Failure> {
        if matches!(self.last, b"" | b"." | b"..") {
            return Err(Failure::Errno(libc::EISDIR));
        }
        component(self.last, room)
    }

    /// The failure that a link at the end is, whatever else the kernel has against it.
    fn is_link(&self, name: &CStr) -> Option<Failure> {
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let found = Open::at(self.folder.fd(), name, flags).ok()?;
        (stat(found.fd()).ok()?.kind() == libc::S_IFLNK).then_some(Failure::Errno(libc::ELOOP))
    }
}

/// The folder at `path`.
fn walk(path: &[u8], room: &mut Room) -> Result<Open, Failure> {
    const FOLDER: c_int = libc::O_PATH | libc::O_DIRECTORY;
    let start = |path: &[u8]| match path {
        [b'/', ..] => Open::at(libc::AT_FDCWD, c"/", FOLDER),
        _ => Open::at(libc::AT_FDCWD, c".", FOLDER),
    };
    let mut folder = start(path)?;
    let mut links = 0;
    // What is left of the way where it leads through a link: the link's target, then the rest.
    let mut spare: Option<Mapping> = None;
    let mut left = path.len();
    loop {
        let rest = match &spare {
            Some(mapping) => &mapping.bytes()[..left],
            None => &path[path.len() - left..],
        };
        let Some(begin) = rest.iter().position(|&byte| byte != b'/') else {
            return Ok(folder);
        };
        let len = rest[begin..].iter().position(|&byte| byte == b'/');
        let end = len.map_or(rest.len(), |len| begin + len);
        let name = component(&rest[begin..end], room)?;
        let next = Open::at(folder.fd(), name, libc::O_PATH | libc::O_NOFOLLOW)?;
        let found = stat(next.fd())?;
        let rest = &rest[end..];
        if found.kind() != libc::S_IFLNK {
            left = rest.len();
            // The rest stands at the end of the path itself, but at the beginning of a mapping.
            if let Some(mapping) = &mut spare {
                let bytes = mapping.bytes_mut();
                bytes.copy_within(end..end + left, 0);
            }
            folder = next;
            continue;
        }
        let around = stat(folder.fd())?;
        if is_others(&around) && !is_trusted(found.owner) {
            return Err(Failure::LinkOfOthers);
        }
        links += 1;
        if links > LINKS {
            return Err(Failure::Circle);
        }
        let mut mapping = Mapping::new(2 * PATH).map_err(Failure::Errno)?;
        let room = mapping.bytes_mut();
        // SAFETY: the kernel writes at most PATH bytes, for which there is room; the empty name
        // stands for the link itself.
        let target =
            unsafe { libc::readlinkat(next.fd(), c"".as_ptr(), room.as_mut_ptr().cast(), PATH) };
        let target = usize::try_from(target).map_err(|_| Failure::last())?;
        if target == 0 || target + rest.len() >= room.len() {
            return Err(Failure::Errno(libc::ENAMETOOLONG));
        }
        room[target..target + rest.len()].copy_from_slice(rest);
        left = target + rest.len();
        if room[0] == b'/' {
            folder = start(b"/")?;
        }
        spare = Some(mapping);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs::{self, Permissions};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::*;

    fn name(path: &Path) -> CString {
        CString::new(path.as_os_str().as_bytes()).unwrap()
    }

    fn failure(path: &Path) -> Option<Failure> {
        open(&name(path)).err()
    }

    /// A folder of the test's own, removed at its end.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let path = format!("forkguard-open-{}-{test}", std::process::id());
            let path = std::env::temp_dir().join(path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn our_own_links_are_followed_on_the_way_but_not_at_its_end() {
        let folder = Folder::new("links");
        fs::create_dir_all(folder.0.join("a/b")).unwrap();
        symlink("a/./b/", folder.0.join("relative")).unwrap();
        symlink(folder.0.join("relative"), folder.0.join("absolute")).unwrap();
        symlink("../absolute//", folder.0.join("a/up")).unwrap();
        assert_eq!(failure(&folder.0.join("a//up/../b/events")), None);
        assert!(folder.0.join("a/b/events").exists());

        symlink("events", folder.0.join("a/b/last")).unwrap();
        let last = folder.0.join("relative/last");
        assert_eq!(failure(&last), Some(Failure::Errno(libc::ELOOP)));
    }

    #[test]
    fn a_circle_ends() {
        let folder = Folder::new("circle");
        symlink("there", folder.0.join("here")).unwrap();
        symlink("here", folder.0.join("there")).unwrap();
        assert_eq!(failure(&folder.0.join("here/x")), Some(Failure::Circle));
        symlink(format!("{}/self", "./".repeat(2040)), folder.0.join("self")).unwrap();
        let endless = failure(&folder.0.join("self/x"));
        assert!(endless.is_some(), "{endless:?}");
    }

    #[test]
    fn what_is_no_way_says_why() {
        let folder = Folder::new("no");
        fs::write(folder.0.join("file"), "").unwrap();
        for (path, errno) in [
            ("none/events", libc::ENOENT),
            ("file/events", libc::ENOTDIR),
            ("", libc::EISDIR),
            ("..", libc::EISDIR),
            (&*"n".repeat(256), libc::ENAMETOOLONG),
            (&*format!("{}/x", "n".repeat(256)), libc::ENAMETOOLONG),
        ] {
            assert_eq!(
                failure(&folder.0.join(path)),
                Some(Failure::Errno(errno)),
                "{path}"
            );
        }
        assert_eq!(failure(Path::new("/")), Some(Failure::Errno(libc::EISDIR)));
    }

    #[test]
    fn a_second_name_counts_where_everybody_may_make_one() {
        let folder = Folder::new("names");
        let (one, two) = (folder.0.join("one"), folder.0.join("two"));
        fs::write(&one, "").unwrap();
        fs::hard_link(&one, &two).unwrap();
        assert_eq!(failure(&one), None);
        fs::set_permissions(&folder.0, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(failure(&one), Some(Failure::Linked));
        fs::remove_file(&two).unwrap();
        assert_eq!(failure(&one), None);
    }

    #[test]
    fn the_same_file_is_read() {
        let folder = Folder::new("again");
        let path = folder.0.join("events");
        let file = open(&name(&path)).unwrap();
        assert!(again(file.fd(), &name(&path)).is_some());
        fs::rename(&path, folder.0.join("old")).unwrap();
        fs::write(&path, "").unwrap();
        assert!(again(file.fd(), &name(&path)).is_none());
    }
}
