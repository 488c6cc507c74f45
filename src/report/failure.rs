//! Why something could not be written, or opened for it, in words for people.

use core::fmt;

use crate::sys::raw;

/// Why something could not be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The kernel said so.
    Errno(i32),
    /// Nobody read the pipe for as long as was waited.
    Full,
    /// Only so many bytes of the event were taken.
    Short(usize),
    /// A symbolic link on the way that another user could have made.
    LinkOfOthers,
    /// Links that lead to each other.
    Circle,
    /// A file of another user's, where everybody may make one.
    Foreign,
    /// A file that has a second name, where another user could have given it one.
    Linked,
}

impl Failure {
    /// What the last system call failed with.
    pub fn last() -> Self {
        Failure::Errno(raw::errno())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = match *self {
            Failure::Full => return f.write_str("it is full and nobody reads it"),
            Failure::Short(taken) => return write!(f, "it took only the first {taken} bytes"),
            Failure::LinkOfOthers => {
                return f.write_str(
                    "its path has a symbolic link that another user could have put there, which \
                     forkguard does not follow",
                );
            }
            Failure::Circle => return f.write_str("its path has too many symbolic links"),
            Failure::Foreign => {
                return f.write_str(
                    "it belongs to another user, in a folder that everybody may write to",
                );
            }
            Failure::Linked => {
                return f.write_str(
                    "it has a second name (a hard link) that another user could have given it",
                );
            }
            Failure::Errno(errno) => errno,
        };
        f.write_str(match errno {
            libc::ENOENT => "there is no such folder",
            libc::EACCES | libc::EPERM => "permission denied",
            libc::ELOOP => "it is a symbolic link, which forkguard does not follow",
            libc::ENOSPC => "the disk is full",
            libc::EDQUOT => "the disk quota is used up",
            libc::EFBIG => "it has reached the largest size allowed",
            libc::EROFS => "it is on a read-only file system",
            libc::EISDIR => "it is a folder",
            libc::ENOTDIR => "a part of its path is not a folder",
            libc::ENAMETOOLONG => "its name is too long",
            libc::EBADF => "it is not open for writing",
            libc::EPIPE => "its reader is gone",
            libc::ENXIO => "it is a pipe that nobody reads",
            libc::EMFILE => "this process has no free file descriptor",
            libc::ENFILE => "the system has no free file descriptor",
            libc::EIO => "the device reported an error",
            libc::EINVAL => "it cannot be written to",
            errno => return write!(f, "error {errno}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words() {
        for failure in [
            Failure::Full,
            Failure::Short(7),
            Failure::LinkOfOthers,
            Failure::Circle,
            Failure::Foreign,
            Failure::Linked,
            Failure::Errno(libc::ENOSPC),
        ] {
            assert!(!failure.to_string().is_empty());
        }
        assert_eq!(Failure::Errno(9999).to_string(), "error 9999");
    }
}
