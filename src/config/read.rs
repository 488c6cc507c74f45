//! A configuration file's bytes, or why it is not read. Nothing here knows what stands in it.

use core::ffi::CStr;
use core::fmt;

use crate::report::failure::Failure;

/// Bytes read of a configuration file.
pub(super) const FILE: usize = 16 * 1024;

/// Why a file was not read.
#[derive(Clone, Copy)]
pub(super) enum Unreadable {
    Errno(i32),
    NotAFile,
    TooLong,
    Anybodys,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Unreadable::NotAFile => f.write_str("it is not a regular file"),
            Unreadable::TooLong => write!(f, "it is longer than {FILE} bytes"),
            Unreadable::Anybodys => f.write_str("anybody may write to it (chmod o-w)"),
            Unreadable::Errno(libc::ENOENT) => f.write_str("there is no such file"),
            // These have other words where a file is written to.
            Unreadable::Errno(libc::ELOOP) => Failure::Circle.fmt(f),
            Unreadable::Errno(libc::ENXIO) => Unreadable::NotAFile.fmt(f),
            Unreadable::Errno(errno) => write!(f, "{}", Failure::Errno(errno)),
        }
    }
}

/// Reads a regular file of at most [`FILE`] bytes.
pub(super) fn read<'a>(path: &CStr, into: &'a mut [u8; FILE + 1]) -> Result<&'a [u8], Unreadable> {
    // O_NONBLOCK: a named pipe must not hold up the start of every program.
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
    // SAFETY: the path is NUL-terminated.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    if fd < 0 {
        return Err(Unreadable::Errno(errno()));
    }
    let result = read_fd(fd, into);
    // SAFETY: this function opened the descriptor and gave it to nobody.
    unsafe { libc::close(fd) };
    result.map(|len| &into[..len])
}

fn read_fd(fd: i32, into: &mut [u8; FILE + 1]) -> Result<usize, Unreadable> {
    // SAFETY: `stat` is plain numbers, for which zero is a value; the kernel fills it in.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: fstat writes one `stat` into ours.
    if unsafe { libc::fstat(fd, &raw mut stat) } != 0 {
        return Err(Unreadable::Errno(errno()));
    }
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(Unreadable::NotAFile);
    }
    // What it names may be executed, by whoever runs the program.
    if stat.st_mode & libc::S_IWOTH != 0 {
        return Err(Unreadable::Anybodys);
    }
    let mut len = 0;
    while len < into.len() {
        let room = &mut into[len..];
        // SAFETY: the kernel writes at most `room.len()` bytes into `room`.
        let n = unsafe { libc::read(fd, room.as_mut_ptr().cast(), room.len()) };
        match usize::try_from(n) {
            Ok(0) => return Ok(len),
            Ok(n) => len += n,
            Err(_) if errno() == libc::EINTR => {}
            Err(_) => return Err(Unreadable::Errno(errno())),
        }
    }
    Err(Unreadable::TooLong)
}

fn errno() -> i32 {
    // SAFETY: errno is this thread's own and always there.
    unsafe { *libc::__errno_location() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "system calls that Miri does not have")]
    fn files_are_read_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("forkguard-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut memory: Box<[u8; FILE + 1]> = vec![0; FILE + 1].try_into().unwrap();
        let mut read = |name: &str| {
            let path = folder.join(name);
            let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
            read(&path, &mut memory)
                .map(<[u8]>::to_vec)
                .map_err(|reason| reason.to_string())
        };
        std::fs::write(folder.join("full"), vec![b'#'; FILE]).unwrap();
        std::fs::write(folder.join("long"), vec![b'#'; FILE + 1]).unwrap();
        assert_eq!(read("full").unwrap().len(), FILE);
        assert_eq!(read("long").unwrap_err(), "it is longer than 16384 bytes");
        assert_eq!(read("none").unwrap_err(), "there is no such file");
        assert_eq!(read("").unwrap_err(), "it is not a regular file");
        let pipe = std::ffi::CString::new(folder.join("pipe").to_str().unwrap()).unwrap();
        // SAFETY: the path is NUL-terminated.
        assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
        assert_eq!(read("pipe").unwrap_err(), "it is not a regular file");
        let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
        assert_eq!(read("socket").unwrap_err(), "it is not a regular file");
        std::os::unix::fs::symlink("circle", folder.join("circle")).unwrap();
        assert_eq!(
            read("circle").unwrap_err(),
            "its path has too many symbolic links"
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
