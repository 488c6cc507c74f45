//! The mappings of this process, as the kernel lists them.
//!
//! With bare system calls and no heap: it is asked in a forked child.

use core::ffi::c_int;

use super::raw::checked;

/// Room for reading the list: more than its longest line, which is a path's and some numbers'.
pub const ROOM: usize = 16 * 1024;

/// A mapping: its first address, the first after it, and the path of what is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping<'a> {
    /// The first address.
    pub start: usize,
    /// The first address after it.
    pub end: usize,
    /// What may be done with it, and whether it is shared: `rw-p`.
    pub rights: [u8; 4],
    /// What is mapped, empty where that has no name.
    pub path: &'a [u8],
}

/// Gives each mapping of a path that is `wanted` to `visit`, in order; the error is why they cannot
/// be known.
pub fn each(
    room: &mut [u8; ROOM],
    wanted: impl Fn(&[u8]) -> bool,
    mut visit: impl FnMut(Mapping<'_>),
) -> Result<(), c_int> {
    // SAFETY: a C string and flags.
    let file = checked(unsafe {
        libc::syscall(
            libc::SYS_openat,
            libc::AT_FDCWD,
            c"/proc/self/maps".as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        )
    })? as c_int;
    let mut seen = false;
    let mut kept = 0;
    let result = 'all: loop {
        let free = &mut room[kept..];
        // SAFETY: the kernel writes at most `free.len()` bytes into `free`.
        let got =
            checked(unsafe { libc::syscall(libc::SYS_read, file, free.as_mut_ptr(), free.len()) });
        let got = match got {
            Ok(0) => break Ok(()),
            Ok(got) => got,
            Err(libc::EINTR) => continue,
            Err(errno) => break Err(errno),
        };
        let filled = kept + got;
        let mut start = 0;
        while let Some(length) = find(&room[start..filled], b'\n') {
            let line = &room[start..start + length];
            seen = true;
            if wanted(path(line)) {
                match parse(line) {
                    Some(mapping) => visit(mapping),
                    None => break 'all Err(libc::EBADMSG),
                }
            }
            start += length + 1;
        }
        room.copy_within(start..filled, 0);
        kept = filled - start;
        if kept == room.len() {
            break Err(libc::E2BIG);
        }
    };
    // SAFETY: opened above.
    unsafe { libc::syscall(libc::SYS_close, file) };
    // Something is mapped: this code. A list without anything is some other file.
    if seen {
        result
    } else {
        result.and(Err(libc::ENODATA))
    }
}

/// Where the first `byte` is. By the C library, which is quick at it in any build.
fn find(text: &[u8], byte: u8) -> Option<usize> {
    // SAFETY: as many bytes as there are.
    let found = unsafe { libc::memchr(text.as_ptr().cast(), c_int::from(byte), text.len()) };
    (!found.is_null()).then(|| found as usize - text.as_ptr() as usize)
}

/// The last of a line's fields, `start-end rights offset device inode   path`: what stands from the
/// first slash or bracket on, of which the others have none.
pub(crate) fn path(line: &[u8]) -> &[u8] {
    let start = find(line, b'/').or_else(|| find(line, b'['));
    start.map_or(&[], |start| &line[start..])
}

pub(crate) fn parse(line: &[u8]) -> Option<Mapping<'_>> {
    let (start, rest) = number(line)?;
    let (end, rest) = number(rest.strip_prefix(b"-")?)?;
    Some(Mapping {
        start,
        end,
        rights: *rest.strip_prefix(b" ")?.first_chunk()?,
        path: path(line),
    })
}

fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (digits, rest) = text.split_at(digits.count());
    let digits = core::str::from_utf8(digits).ok()?;
    Some((usize::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let line = b"7f0c8a000000-7f0c8a021000 rw-s 00000000 00:06 1234      /dev/nvidia 0";
        let mapping = parse(line).unwrap();
        assert_eq!(mapping.start, 0x7f0c_8a00_0000);
        assert_eq!(mapping.end, 0x7f0c_8a02_1000);
        assert_eq!(mapping.path, b"/dev/nvidia 0");
        assert_eq!(&mapping.rights, b"rw-s");
        let line = b"7f0c8a000000-7f0c8a021000 rw-p 00000000 00:00 0 ";
        assert_eq!(parse(line).unwrap().path, b"");
        assert_eq!(parse(b"not a line"), None);
    }

    /// Many more lines than one reading gives.
    #[test]
    fn all_mappings_are_seen() {
        let page = 4096;
        let made: Vec<usize> = (0..1500)
            .map(|index| {
                // Neighbours with other rights stay mappings of their own.
                let rights = libc::PROT_READ | if index % 2 == 0 { libc::PROT_WRITE } else { 0 };
                // SAFETY: a new anonymous mapping.
                let at = unsafe {
                    libc::mmap(
                        core::ptr::null_mut(),
                        page,
                        rights,
                        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                        -1,
                        0,
                    )
                };
                assert_ne!(at, libc::MAP_FAILED);
                at as usize
            })
            .collect();
        let mut room = Box::new([0; ROOM]);
        let mut seen = Vec::new();
        let mut last = 0;
        each(
            &mut room,
            |_| true,
            |mapping| {
                assert!(last <= mapping.start && mapping.start < mapping.end);
                last = mapping.end;
                seen.push((mapping.start, mapping.end));
            },
        )
        .unwrap();
        assert!(seen.len() > 1000);
        for at in made {
            assert!(seen.iter().any(|range| (range.0..range.1).contains(&at)));
            // SAFETY: mapped above, used by nobody.
            unsafe { libc::munmap(at as *mut _, page) };
        }
    }
}
