//! What a fresh process is told: the entry's name, its data, and which descriptors are to be
//! closed on exec. In a sealed memfd, which neither side can change.

use core::ffi::{CStr, c_int};

use crate::sys::program::Mapping;
use crate::sys::raw::checked;

/// "forkgrd" and the format's number.
const MAGIC: u64 = u64::from_le_bytes(*b"forkgrd\x01");
/// The data begins at a multiple of this.
const ALIGNMENT: usize = 64;
/// From here on, so that the numbers a program expects its next files to have stay free.
const HIGH: c_int = 512;
const SEALS: c_int =
    libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

/// The beginning of it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Head {
    magic: u64,
    /// Numbers of descriptors, right behind.
    closing: u64,
    /// Bytes of the name, behind these.
    name: u64,
    /// Where the data begins, and its length.
    data: u64,
    len: u64,
}

const HEAD: usize = size_of::<Head>();
const NUMBER: usize = size_of::<c_int>();

/// A payload that was written. Closed when dropped.
pub struct Payload {
    /// Its descriptor, closed on exec.
    pub fd: c_int,
    /// By which it is known again.
    pub inode: u64,
}

impl Drop for Payload {
    fn drop(&mut self) {
        // SAFETY: opened by this value, and given to nobody.
        unsafe { libc::syscall(libc::SYS_close, self.fd) };
    }
}

/// Writes one. The data is `len` bytes at `data`, read by the kernel.
pub fn write(name: &CStr, closing: &[c_int], data: usize, len: usize) -> Result<Payload, c_int> {
    let name = name.to_bytes();
    let data_at = (HEAD + closing.len() * NUMBER + name.len()).next_multiple_of(ALIGNMENT);
    let size = data_at.checked_add(len).ok_or(libc::EFBIG)?;
    if !is_allowed(size) {
        return Err(libc::EFBIG);
    }
    let payload = Payload::create()?;
    let mut front = Mapping::new(data_at)?;
    let head = Head {
        magic: MAGIC,
        closing: closing.len() as u64,
        name: name.len() as u64,
        data: data_at as u64,
        len: len as u64,
    };
    // SAFETY: plain numbers without padding.
    let head: [u8; HEAD] = unsafe { core::mem::transmute(head) };
    let (first, rest) = front.bytes_mut().split_at_mut(HEAD);
    first.copy_from_slice(&head);
    let (numbers, rest) = rest.split_at_mut(closing.len() * NUMBER);
    for (place, fd) in numbers.chunks_exact_mut(NUMBER).zip(closing) {
        place.copy_from_slice(&fd.to_ne_bytes());
    }
    rest[..name.len()].copy_from_slice(name);
    payload.put(front.bytes().as_ptr() as usize, data_at, 0)?;
    payload.put(data, len, data_at)?;
    // SAFETY: only adds seals.
    checked(unsafe { libc::syscall(libc::SYS_fcntl, payload.fd, libc::F_ADD_SEALS, SEALS) })?;
    Ok(payload)
}

/// Whether a file may be so large here: beyond the limit the kernel does not only refuse, it
/// sends a signal that ends the program.
fn is_allowed(size: usize) -> bool {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a place for the answer.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } == 0;
    !known || size as u64 <= limit.rlim_cur
}

impl Payload {
    fn create() -> Result<Self, c_int> {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: a C string and flags.
        let low = checked(unsafe {
            libc::syscall(libc::SYS_memfd_create, c"forkguard-entry".as_ptr(), flags)
        })? as c_int;
        // SAFETY: a descriptor of this function's own.
        let high =
            checked(unsafe { libc::syscall(libc::SYS_fcntl, low, libc::F_DUPFD_CLOEXEC, HIGH) });
        let fd = high.map_or(low, |high| high as c_int);
        if fd != low {
            // SAFETY: as above.
            unsafe { libc::syscall(libc::SYS_close, low) };
        }
        let payload = Self { fd, inode: 0 };
        let inode = identity(fd).ok_or(libc::EBADF)?.0;
        let payload = core::mem::ManuallyDrop::new(payload);
        Ok(Self {
            fd: payload.fd,
            inode,
        })
    }

    fn put(&self, mut from: usize, mut len: usize, mut at: usize) -> Result<(), c_int> {
        while len > 0 {
            // SAFETY: the kernel reads from there, and answers EFAULT where it cannot.
            match checked(unsafe { libc::syscall(libc::SYS_pwrite64, self.fd, from, len, at) }) {
                Ok(0) => return Err(libc::EIO),
                Ok(put) => (from, len, at) = (from + put, len - put, at + put),
                Err(libc::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

/// The inode and the size of what is open there.
fn identity(fd: c_int) -> Option<(u64, u64)> {
    // SAFETY: `stat` is plain numbers, for which zero is a value.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: a place for the answer.
    checked(unsafe { libc::syscall(libc::SYS_fstat, fd, &raw mut stat) }).ok()?;
    Some((stat.st_ino, stat.st_size as u64))
}

/// A payload as the fresh process has it.
pub struct Received<'a> {
    /// The entry's name.
    pub name: &'a [u8],
    /// Its data.
    pub data: &'a [u8],
}

/// Takes the payload at `fd`, if it is the one of this inode and as [`write()`] leaves it; restores
/// the descriptors that the other program had closed on exec, and closes `fd`.
pub fn receive(fd: c_int, inode: u64, closing: impl FnMut(c_int)) -> Option<Received<'static>> {
    let (found, size) = identity(fd)?;
    // SAFETY: only asks.
    let seals = checked(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GET_SEALS) }).ok()?;
    if found != inode || seals as c_int & SEALS != SEALS || size < HEAD as u64 {
        return None;
    }
    let whole = &*Mapping::of_file(fd, usize::try_from(size).ok()?)
        .ok()?
        .leak();
    // SAFETY: opened for this process alone; the mapping keeps what was in it.
    unsafe { libc::syscall(libc::SYS_close, fd) };
    read(whole, closing)
}

/// What its bytes say.
pub fn read(whole: &[u8], mut closing: impl FnMut(c_int)) -> Option<Received<'_>> {
    let (head, rest) = whole.split_first_chunk::<HEAD>()?;
    // SAFETY: plain numbers; any bytes are a value.
    let head: Head = unsafe { core::mem::transmute(*head) };
    if head.magic != MAGIC {
        return None;
    }
    let at = |count: u64| usize::try_from(count).ok();
    let (numbers, rest) = rest.split_at_checked(at(head.closing)?.checked_mul(NUMBER)?)?;
    for &number in numbers.as_chunks().0 {
        closing(c_int::from_ne_bytes(number));
    }
    let end = at(head.data)?.checked_add(at(head.len)?)?;
    Some(Received {
        name: rest.get(..at(head.name)?)?,
        data: whole.get(at(head.data)?..end)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_received() {
        let data = b"some data";
        let payload = write(c"worker", &[7, 9], data.as_ptr() as usize, data.len()).unwrap();
        // SAFETY: a descriptor of its own for `receive`, which closes it.
        let fd = unsafe { libc::dup(payload.fd) };
        assert!(receive(fd, payload.inode + 1, |_| {}).is_none());
        let mut closing = Vec::new();
        let received = receive(fd, payload.inode, |fd| closing.push(fd)).unwrap();
        assert_eq!((received.name, received.data), (&b"worker"[..], &data[..]));
        assert_eq!(received.data.as_ptr() as usize % ALIGNMENT, 0);
        assert_eq!(closing, [7, 9]);
        assert!(
            receive(fd, payload.inode, |_| {}).is_none(),
            "it was closed"
        );
    }

    #[test]
    fn it_cannot_be_changed() {
        let payload = write(c"worker", &[], 0, 0).unwrap();
        assert_eq!(payload.put(c"x".as_ptr() as usize, 1, 0), Err(libc::EPERM));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert_eq!(write(c"worker", &[], 8, 100).err(), Some(libc::EFAULT));
        assert_eq!(
            write(c"worker", &[], 8, usize::MAX).err(),
            Some(libc::EFBIG)
        );
    }

    #[test]
    fn another_file_is_no_payload() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
        let (inode, _) = identity(fd).unwrap();
        assert!(receive(fd, inode, |_| {}).is_none());
    }
}
