//! Arguments and environment for executing a program, from a process in any state.
//!
//! A forked child may hold any lock for ever, the heap's among them: what `execve` is given is
//! put together in memory mapped for it. The environment is the process's own, read as one reads
//! memory that may not be what it seems: another thread of the parent may have been changing it
//! at the very moment of the fork.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::fmt;

use super::elf;
use super::memory::Reader;
use super::raw::checked;

/// Bytes of the longest single string that the kernel takes (`MAX_ARG_STRLEN`).
const LONGEST: usize = 128 * 1024;

/// Memory of this process's own.
pub struct Mapping {
    at: *mut c_void,
    len: usize,
}

impl Mapping {
    /// So many bytes, zeroed.
    pub fn new(len: usize) -> Result<Self, c_int> {
        Self::map(len, -1)
    }

    /// The first `len` bytes of a file, private: what is written to them stays here.
    pub fn of_file(fd: c_int, len: usize) -> Result<Self, c_int> {
        Self::map(len, fd)
    }

    fn map(len: usize, fd: c_int) -> Result<Self, c_int> {
        let anonymous = if fd < 0 { libc::MAP_ANONYMOUS } else { 0 };
        // SAFETY: a new mapping where the kernel has room; it touches no other.
        let at = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | anonymous,
                fd,
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(checked(-1).unwrap_err());
        }
        Ok(Self { at, len })
    }

    /// Makes it so long; what it held stays, perhaps at another address.
    pub fn resize(&mut self, len: usize) -> Result<(), c_int> {
        // SAFETY: the mapping is this value's alone, and borrowed by nobody else now.
        let at = unsafe { libc::mremap(self.at, self.len, len, libc::MREMAP_MAYMOVE) };
        if at == libc::MAP_FAILED {
            return Err(checked(-1).unwrap_err());
        }
        self.at = at;
        self.len = len;
        Ok(())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for `len` bytes until it is dropped; written only through `bytes_mut`.
        unsafe { core::slice::from_raw_parts(self.at.cast(), self.len) }
    }

    /// Its bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the mapping is this value's alone.
        unsafe { core::slice::from_raw_parts_mut(self.at.cast(), self.len) }
    }

    /// Keeps it for as long as the process lives.
    pub fn leak(self) -> &'static mut [u8] {
        let kept = core::mem::ManuallyDrop::new(self);
        // SAFETY: never unmapped from here on, and this is the only way left to it.
        unsafe { core::slice::from_raw_parts_mut(kept.at.cast(), kept.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by this value; whoever borrowed it has given it back.
        unsafe { libc::munmap(self.at, self.len) };
    }
}

/// Strings as `execve` takes them: an array of pointers that ends with a null one.
pub struct Strings {
    mapping: Mapping,
    /// Strings there can be, the null one not counted.
    room: usize,
    len: usize,
    /// Where the text of the next one begins.
    text: usize,
}

impl Strings {
    /// Room for `strings` of them, and for `bytes` of text of those that are not there yet, their
    /// NULs included.
    pub fn with_room(strings: usize, bytes: usize) -> Result<Self, c_int> {
        let pointers = (strings + 1) * size_of::<usize>();
        Ok(Self {
            mapping: Mapping::new(pointers + bytes)?,
            room: strings,
            len: 0,
            text: pointers,
        })
    }

    /// Adds one that is somewhere else and stays there.
    pub fn push(&mut self, string: usize) {
        if self.len < self.room {
            // SAFETY: the mapping is page-aligned, and has room for `room + 1` pointers.
            unsafe { *self.mapping.at.cast::<usize>().add(self.len) = string };
            self.len += 1;
        }
    }

    /// Adds one made of these parts; `false` where there is no room for it.
    pub fn put(&mut self, parts: &[&[u8]]) -> bool {
        let begin = self.text;
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let Some(place) = self.mapping.bytes_mut().get_mut(begin..=begin + len) else {
            return false;
        };
        let mut at = 0;
        for part in parts {
            place[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        place[len] = 0;
        let string = place.as_ptr() as usize;
        self.text = begin + len + 1;
        self.push(string);
        true
    }

    /// What `execve` is given.
    pub fn as_ptr(&self) -> *const *const c_char {
        self.mapping.at.cast_const().cast()
    }

    /// The same, as far as it reaches: the last is the null pointer.
    pub fn pointers(&self) -> &[*const c_char] {
        // SAFETY: written or zeroed, and as many as there is room for.
        unsafe { core::slice::from_raw_parts(self.as_ptr(), self.len + 1) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.len
    }

    /// Of `NAME=value` strings: the value of this name, where it begins and its length.
    pub fn value_of(&self, name: &CStr) -> Option<(usize, usize)> {
        let mut reader = Reader::default();
        (0..self.len).find_map(|index| {
            let value = value_of(&mut reader, self.get(index), name.to_bytes())?;
            Some((value, length(&mut reader, value)?))
        })
    }

    /// The address of one of them.
    pub fn get(&self, index: usize) -> usize {
        assert!(index < self.len, "there are {} strings", self.len);
        // SAFETY: within the pointers that were written.
        unsafe { *self.mapping.at.cast::<usize>().add(index) }
    }
}

/// Why a program was not executed.
pub struct NotExecuted(pub c_int);

impl fmt::Display for NotExecuted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            libc::ENOENT => "it, or the interpreter that it names, is not there",
            libc::EACCES | libc::EPERM => "permission denied",
            libc::E2BIG => "its arguments and the environment are too long",
            libc::ENOEXEC => "it is no program, and has no #! line",
            libc::ETXTBSY => "it is open for writing",
            libc::ENOTDIR => "a part of its path is not a folder",
            libc::ENAMETOOLONG => "its name is too long",
            libc::ELOOP => "its path has too many symbolic links",
            libc::ENOMEM => "there is not enough memory",
            libc::EAGAIN => "no more processes are allowed",
            libc::EMFILE => "this process has no free file descriptor",
            libc::ENFILE => "the system has no free file descriptor",
            libc::EFAULT => "the environment cannot be read",
            libc::ENOSYS => "the kernel, or a filter of system calls, does not allow it",
            libc::EIO => "the device reported an error",
            errno => return write!(f, "error {errno}"),
        })
    }
}

/// The process's variables as they are now: the address of each `NAME=value`.
pub struct Variables {
    next: usize,
    reader: Reader,
}

impl Variables {
    /// All of them.
    pub fn new() -> Self {
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        Self {
            // SAFETY: the C library's own variable; a word that is read whole.
            next: unsafe { (&raw const environ).read_volatile() } as usize,
            reader: Reader::default(),
        }
    }

    /// The value of this one: where it begins, and its length.
    pub fn find(name: &[u8]) -> Option<(usize, usize)> {
        let mut all = Self::new();
        while let Some(entry) = all.next() {
            if let Some(value) = value_of(&mut all.reader, entry, name) {
                return Some((value, length(&mut all.reader, value)?));
            }
        }
        None
    }
}

impl Default for Variables {
    fn default() -> Self {
        Self::new()
    }
}

impl Iterator for Variables {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let entry = self.reader.word(self.next).filter(|&entry| entry != 0)?;
        self.next += size_of::<usize>();
        Some(entry)
    }
}

/// Where the value begins, if the variable at `entry` is the one of this name.
fn value_of(reader: &mut Reader, entry: usize, name: &[u8]) -> Option<usize> {
    for (i, &wanted) in name.iter().chain(b"=").enumerate() {
        if reader.byte(entry.checked_add(i)?)? != wanted {
            return None;
        }
    }
    Some(entry + name.len() + 1)
}

fn length(reader: &mut Reader, string: usize) -> Option<usize> {
    (0..LONGEST).find(|&i| reader.byte(string + i).unwrap_or(1) == 0)
}

/// The guard, as a program's environment has it.
#[derive(Clone, Copy)]
pub struct Guard<'a> {
    /// The path it was loaded by.
    pub library: &'a [u8],
    /// The policy that holds here.
    pub policy: &'a [u8],
}

/// The path by which this library was loaded.
pub fn own_path() -> &'static [u8] {
    let mut path: &'static [u8] = b"";
    elf::each_object(|object| {
        let ours = object.is_ours();
        if ours && !object.name.is_null() {
            // SAFETY: the loader keeps the name as long as the object is loaded: ours is for ever.
            path = unsafe { CStr::from_ptr(object.name) }.to_bytes();
        }
        !ours
    });
    path
}

/// The process's environment, with these variables set (in the place of their old values), and
/// with the guard put back into it where the program took it out.
pub fn environment(set: &[(&CStr, &[u8])], guard: Guard<'_>) -> Result<Strings, c_int> {
    const PRELOAD: &CStr = c"LD_PRELOAD";
    const POLICY: &CStr = c"FORKGUARD_POLICY";
    let Guard { library, policy } = guard;
    let preload = Variables::find(PRELOAD.to_bytes());
    let preload = preload.filter(|&(_, len)| len > 0).and_then(copied);
    let preloads = preload.as_ref().map_or(&b""[..], Mapping::bytes);
    let is_loaded = preloads
        .split(|&byte| byte == b':' || byte == b' ')
        .any(|path| elf::file_name(path) == elf::file_name(library));

    // Another thread may have been changing the list: no longer than the first look at it.
    let count = Variables::new().count();
    let text = set
        .iter()
        .map(|(name, value)| name.count_bytes() + value.len() + 2);
    let text = text.sum::<usize>()
        + (PRELOAD.count_bytes() + library.len() + preloads.len() + 3)
        + (POLICY.count_bytes() + policy.len() + 2);
    let mut strings = Strings::with_room(count + set.len() + 2, text)?;
    let mut reader = Reader::default();
    let mut has_policy = false;
    for entry in Variables::new().take(count) {
        let mut is = |name: &CStr| value_of(&mut reader, entry, name.to_bytes()).is_some();
        if set.iter().any(|(name, _)| is(name)) || (!is_loaded && is(PRELOAD)) {
            continue;
        }
        has_policy |= is(POLICY);
        strings.push(entry);
    }
    for (name, value) in set {
        strings.put(&[name.to_bytes(), b"=", value]);
    }
    if !is_loaded && !library.is_empty() {
        let between: &[u8] = if preloads.is_empty() { b"" } else { b":" };
        strings.put(&[PRELOAD.to_bytes(), b"=", library, between, preloads]);
    }
    if !has_policy {
        strings.put(&[POLICY.to_bytes(), b"=", policy]);
    }
    Ok(strings)
}

/// A copy of so many bytes, if they can be read.
pub fn copied((at, len): (usize, usize)) -> Option<Mapping> {
    let mut copy = Mapping::new(len).ok()?;
    let read = super::memory::read(at, &mut copy.bytes_mut()[..len]);
    read.then_some(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(strings: &Strings) -> Vec<String> {
        (0..strings.count())
            // SAFETY: each is a C string, says `Strings`.
            .map(|index| unsafe { CStr::from_ptr(strings.get(index) as *const c_char) })
            .map(|string| string.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn strings_are_kept_and_end_with_a_null_pointer() {
        let elsewhere = c"elsewhere";
        let mut strings = Strings::with_room(2, 8).unwrap();
        assert!(strings.put(&[b"made", b"=", b"up"]));
        strings.push(elsewhere.as_ptr() as usize);
        // No room for a third: neither the pointer nor the text.
        strings.push(elsewhere.as_ptr() as usize);
        assert_eq!(text(&strings), ["made=up", "elsewhere"]);
        // SAFETY: within the array, whose last entry is the null pointer.
        assert!(unsafe { *strings.as_ptr().add(2) }.is_null());
        let mut full = Strings::with_room(1, 4).unwrap();
        assert!(!full.put(&[&[b'x'; 8192]]));
    }

    #[test]
    fn the_environment_with_changes() {
        let guard = Guard {
            library: b"/x/libguard.so",
            policy: b"exec,warn",
        };
        let strings = environment(
            &[(c"FORKGUARD_FUNCTION", b"cuInit"), (c"PATH", b"/x")],
            guard,
        );
        let strings = strings.unwrap();
        let all = text(&strings);
        for (name, entry) in [
            ("FORKGUARD_FUNCTION=", "FORKGUARD_FUNCTION=cuInit"),
            ("PATH=", "PATH=/x"),
            ("FORKGUARD_POLICY=", "FORKGUARD_POLICY=exec,warn"),
            ("LD_PRELOAD=", "LD_PRELOAD=/x/libguard.so"),
        ] {
            let found: Vec<_> = all.iter().filter(|entry| entry.starts_with(name)).collect();
            assert_eq!(found, [entry]);
        }
        // All the others are there as they were.
        let others = std::env::vars().filter(|(name, _)| name != "PATH");
        for (name, value) in others {
            assert!(all.contains(&format!("{name}={value}")), "{name}");
        }
    }

    #[test]
    fn variables_are_found_by_their_whole_name() {
        let (at, len) = Variables::find(b"PATH").unwrap();
        let mut value = vec![0; len];
        assert!(super::super::memory::read(at, &mut value));
        assert_eq!(String::from_utf8(value).ok(), std::env::var("PATH").ok());
        assert_eq!(Variables::find(b"PAT"), None);
    }

    #[test]
    fn mappings_grow() {
        let mut mapping = Mapping::new(4096).unwrap();
        mapping.bytes_mut()[4095] = 7;
        mapping.resize(1 << 20).unwrap();
        assert_eq!((mapping.bytes()[4095], mapping.bytes().len()), (7, 1 << 20));
    }
}
