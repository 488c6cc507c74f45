//! The command line that this program was started with, so that it can be started again.
//!
//! Kept while it is still true: a program may write over its arguments later (servers show a
//! title there). By `/proc`, because what the loader passes a constructor is known to C alone,
//! and an interpreter of a script, or a loader that was called by name, is the kernel's to tell.

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::program::{Mapping, Strings};
use super::raw::checked;

/// Bytes of the longest path.
const PATH: usize = 4096;
/// Bytes read at first, and at most: the kernel allows 6 MiB at the very most.
const FIRST: usize = 16 * 1024;
const MOST: usize = 8 << 20;

const THIS: &CStr = c"/proc/self/exe";

/// The executable's path with its NUL, then the arguments, each with its own.
static KEPT: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());
static KEPT_LEN: AtomicUsize = AtomicUsize::new(0);

/// Keeps it, the first time. Without `/proc` there is nothing to keep.
pub fn keep() {
    if KEPT.load(Ordering::Acquire).is_null()
        && let Some((mapping, len)) = read()
    {
        let place = mapping.leak().as_mut_ptr();
        KEPT_LEN.store(len, Ordering::Relaxed);
        // Of two threads that come here at once, both have read the same.
        KEPT.store(place, Ordering::Release);
    }
}

fn read() -> Option<(Mapping, usize)> {
    let mut mapping = Mapping::new(PATH + FIRST).ok()?;
    // SAFETY: a C string, and room for as many bytes as the kernel is told of.
    let path = checked(unsafe {
        libc::syscall(
            libc::SYS_readlinkat,
            libc::AT_FDCWD,
            THIS.as_ptr(),
            mapping.bytes_mut().as_mut_ptr(),
            PATH - 1,
        )
    })
    .ok()?;
    let mut len = path + 1;
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: a C string and flags.
    let file = checked(unsafe {
        libc::syscall(
            libc::SYS_openat,
            libc::AT_FDCWD,
            c"/proc/self/cmdline".as_ptr(),
            flags,
        )
    })
    .ok()? as c_int;
    let whole = loop {
        let room = &mut mapping.bytes_mut()[len..];
        // SAFETY: the kernel writes at most `room.len()` bytes into `room`.
        match checked(unsafe { libc::syscall(libc::SYS_read, file, room.as_mut_ptr(), room.len()) })
        {
            Ok(0) => break true,
            Ok(got) => len += got,
            Err(libc::EINTR) => {}
            Err(_) => break false,
        }
        let size = mapping.bytes().len();
        if len == size && (size >= MOST || mapping.resize(size * 2).is_err()) {
            break false;
        }
    };
    // SAFETY: opened above.
    unsafe { libc::syscall(libc::SYS_close, file) };
    // It ends with the last argument's NUL; of a process without arguments it is empty.
    (whole && len > path + 1 && mapping.bytes()[len - 1] == 0).then_some((mapping, len))
}

/// The executable's path and the arguments, as they were when they were kept.
fn as_kept() -> Option<(&'static CStr, &'static [u8])> {
    let place = KEPT.load(Ordering::Acquire);
    if place.is_null() {
        return None;
    }
    // SAFETY: kept for ever, with this length, and never written again.
    let bytes = unsafe { core::slice::from_raw_parts(place, KEPT_LEN.load(Ordering::Relaxed)) };
    let path = CStr::from_bytes_until_nul(bytes).ok()?;
    Some((path, &bytes[path.count_bytes() + 1..]))
}

/// The arguments, each with its NUL, if they were kept.
pub fn kept_arguments() -> Option<&'static [u8]> {
    as_kept().map(|(_, arguments)| arguments)
}

/// The executable and the arguments, if they were kept.
pub fn kept() -> Option<(&'static CStr, &'static [u8])> {
    let (path, arguments) = as_kept()?;
    // By its own name where that still is the same file, so that it is listed as before; by the
    // kernel's link where the file was replaced or removed since.
    let path = if is_same_file(path, THIS) { path } else { THIS };
    Some((path, arguments))
}

/// The arguments as `execve` takes them.
pub fn arguments(kept: &'static [u8]) -> Result<Strings, c_int> {
    let each = || kept.split_inclusive(|&byte| byte == 0);
    let mut strings = Strings::with_room(each().count(), 0)?;
    for argument in each() {
        strings.push(argument.as_ptr() as usize);
    }
    Ok(strings)
}

fn is_same_file(one: &CStr, other: &CStr) -> bool {
    matches!((identity(one), identity(other)), (Some(one), Some(other)) if one == other)
}

fn identity(path: &CStr) -> Option<(u64, u64)> {
    // SAFETY: `stat` is plain numbers, for which zero is a value.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    let path: *const c_char = path.as_ptr();
    // SAFETY: a C string, and a place for the answer.
    let asked =
        unsafe { libc::syscall(libc::SYS_newfstatat, libc::AT_FDCWD, path, &raw mut stat, 0) };
    checked(asked).ok().map(|_| (stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_test_is_kept() {
        keep();
        let (path, arguments) = kept().unwrap();
        let exe = std::env::current_exe().unwrap();
        assert_eq!(path.to_str().ok(), exe.to_str());
        let expected: Vec<_> = std::env::args().collect();
        let found = arguments.split_inclusive(|&byte| byte == 0);
        let found: Vec<_> = found
            .map(|bytes| {
                CStr::from_bytes_with_nul(bytes)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(found, expected);
        assert_eq!(super::arguments(arguments).unwrap().count(), expected.len());
    }

    #[test]
    fn files_are_told_apart() {
        assert!(is_same_file(c"/proc/self/exe", c"/proc/self/exe"));
        assert!(!is_same_file(c"/proc/self/exe", c"/dev/null"));
        assert!(!is_same_file(c"/nowhere", c"/nowhere"));
    }
}
