//! Loaded objects and their symbols, read from the loader's list and the objects' own tables.
//!
//! `dlsym` cannot be asked where the true `dlsym` is, for the library replaces it; so the C
//! library's hash table is read directly. The same reading finds an interpreter's functions in a
//! `libpython` that was loaded locally, without touching `dlerror`.
//!
//! Here is an object and what its tables tell; `list` walks the loader's list, `at` finds the object
//! at an address, and `build_id` reads which build it is.

mod at;
mod build_id;
mod list;

use core::ffi::{CStr, c_char};

use libc::{Elf64_Ehdr, Elf64_Phdr, Elf64_Sym};

pub use at::{Code, code_at, finds_without_lock, object_at, prepare};
pub use build_id::{BUILD_ID, build_id};
pub use list::{as_loaded, each_object, fingerprint};

use super::memory;
use at::find_object;

const DT_NULL: i64 = 0;
const DT_HASH: i64 = 4;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_GNU_HASH: i64 = 0x6fff_fef5;

const STT_TLS: u8 = 6;
const STT_GNU_IFUNC: u8 = 10;

unsafe extern "C" {
    static _DYNAMIC: [u64; 0];
    static __ehdr_start: [u8; 0];
    static _end: [u8; 0];
}

/// The thread-local variables of an object: the bytes they start with, and how much memory they
/// take, which is zero beyond those bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadLocal {
    /// Where the bytes are.
    pub initial: usize,
    /// How many there are.
    pub initial_size: usize,
    /// Of a thread's copy.
    pub size: usize,
}

/// One loaded object.
#[derive(Clone, Copy)]
pub struct Object {
    /// The loader's record of it, which is what `dlopen` answers.
    pub handle: usize,
    /// What is added to the object's own addresses.
    pub base: usize,
    /// The path it was loaded by (empty for the program itself), owned by the loader.
    pub name: *const c_char,
    /// Where its dynamic section is.
    pub dynamic: usize,
    /// Its symbol, string and hash tables; 0 where it has none.
    pub symbols: usize,
    /// String table.
    pub strings: usize,
    /// GNU hash table.
    pub gnu_hash: usize,
    /// The older hash table.
    pub sysv_hash: usize,
}

impl Object {
    /// Nothing.
    pub const EMPTY: Self = Self {
        handle: 0,
        base: 0,
        name: core::ptr::null(),
        dynamic: 0,
        symbols: 0,
        strings: 0,
        gnu_hash: 0,
        sysv_hash: 0,
    };

    /// Whether it is this library.
    pub fn is_ours(&self) -> bool {
        self.dynamic == (&raw const _DYNAMIC) as usize
    }

    /// The addresses it occupies: the lowest, and the first after the highest.
    ///
    /// glibc is asked first, which costs no system call. On aarch64 the headers are: there its
    /// answer, made for code, was seen to leave out what lies behind a hole between segments.
    pub fn range(&self) -> (usize, usize) {
        let by_libc = || find_object(self.dynamic).map(|found| (found.start, found.end));
        let range = if cfg!(target_arch = "aarch64") {
            self.range_by_headers().or_else(by_libc)
        } else {
            by_libc().or_else(|| self.range_by_headers())
        };
        range.unwrap_or((self.dynamic, self.dynamic + 1))
    }

    fn range_by_headers(&self) -> Option<(usize, usize)> {
        let mut range = (usize::MAX, 0);
        for header in self.headers()? {
            if header.p_type == libc::PT_LOAD {
                let start = self.base.wrapping_add(header.p_vaddr as usize);
                range.0 = range.0.min(start & !4095);
                range.1 = range.1.max(start + header.p_memsz as usize);
            }
        }
        (range.1 != 0).then_some(range)
    }

    /// The program headers, which lie in the object's first page; the kernel tells those of the
    /// program itself.
    fn headers(&self) -> Option<&[Elf64_Phdr]> {
        let (headers, count) = if self.path().is_empty() {
            // SAFETY: getauxval takes any number.
            unsafe {
                (
                    libc::getauxval(libc::AT_PHDR) as usize,
                    libc::getauxval(libc::AT_PHNUM) as usize,
                )
            }
        } else {
            let magic = memory::read_word(self.base)?;
            if magic as u32 != u32::from_le_bytes(*b"\x7fELF") {
                return None;
            }
            // SAFETY: the page was read just now, and starts with an ELF header.
            let header = unsafe { &*(self.base as *const Elf64_Ehdr) };
            (
                self.base + header.e_phoff as usize,
                usize::from(header.e_phnum),
            )
        };
        // SAFETY: `count` headers stand there, in a mapped page of the object that nobody writes.
        Some(unsafe { core::slice::from_raw_parts(headers as *const Elf64_Phdr, count) })
    }

    /// The memory that the object's code may write for as long as it is loaded: its writable
    /// segments without what the loader made read-only again. In order, each with its first address
    /// and the first after it. `None` where the headers cannot be read, or there are more pieces.
    pub fn writable<const PIECES: usize>(&self) -> Option<([(usize, usize); PIECES], usize)> {
        // SAFETY: getauxval takes any number.
        let page = unsafe { libc::getauxval(libc::AT_PAGESZ) } as usize;
        let headers = self.headers()?;
        let sealed = headers
            .iter()
            .find(|header| header.p_type == libc::PT_GNU_RELRO)
            .map_or((0, 0), |header| {
                let start = self.base.wrapping_add(header.p_vaddr as usize);
                let end = start + header.p_memsz as usize;
                // Whole pages, as the loader protects them.
                (start & !(page - 1), end & !(page - 1))
            });
        let mut pieces = [(0, 0); PIECES];
        let mut len = 0;
        for header in headers {
            if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W == 0 {
                continue;
            }
            let start = self.base.wrapping_add(header.p_vaddr as usize);
            let end = start + header.p_memsz as usize;
            let around = if sealed.1 <= start || sealed.0 >= end {
                [(start, end), (0, 0)]
            } else {
                [(start, sealed.0), (sealed.1, end)]
            };
            for piece in around {
                if piece.0 < piece.1 {
                    *pieces.get_mut(len)? = piece;
                    len += 1;
                }
            }
        }
        Some((pieces, len))
    }

    /// What each thread's own copy of the object's thread-local variables starts as.
    pub fn thread_local(&self) -> Option<ThreadLocal> {
        let header = self
            .headers()?
            .iter()
            .find(|header| header.p_type == libc::PT_TLS && header.p_memsz != 0)?;
        Some(ThreadLocal {
            initial: self.base.wrapping_add(header.p_vaddr as usize),
            initial_size: header.p_filesz as usize,
            size: header.p_memsz as usize,
        })
    }

    /// Where its unwinding information begins (`.eh_frame_hdr`).
    fn unwind_table(&self) -> Option<usize> {
        let header = self
            .headers()?
            .iter()
            .find(|header| header.p_type == libc::PT_GNU_EH_FRAME)?;
        Some(self.base.wrapping_add(header.p_vaddr as usize))
    }

    /// Gives each entry of the dynamic section, its tag and its value, to `visit`.
    pub fn each_dynamic(&self, mut visit: impl FnMut(i64, usize)) {
        let mut entry = self.dynamic as *const [u64; 2];
        while !entry.is_null() {
            // SAFETY: the dynamic section of a loaded object is mapped and ends with DT_NULL.
            let [tag, value] = unsafe { *entry };
            if tag as i64 == DT_NULL {
                return;
            }
            visit(tag as i64, value as usize);
            // SAFETY: not yet at DT_NULL, so another entry follows.
            entry = unsafe { entry.add(1) };
        }
    }

    /// The address that an entry's value is: glibc stores addresses, except in objects it may not
    /// write (the vdso).
    pub fn dynamic_address(&self, value: usize) -> usize {
        if value < self.base {
            value.wrapping_add(self.base)
        } else {
            value
        }
    }

    /// The path, as bytes.
    pub fn path(&self) -> &[u8] {
        if self.name.is_null() {
            return b"";
        }
        // SAFETY: the loader keeps the NUL-terminated name as long as the object is loaded; the
        // callers hold an `Object` only while it is.
        unsafe { CStr::from_ptr(self.name) }.to_bytes()
    }

    /// The path's last component.
    pub fn file_name(&self) -> &[u8] {
        file_name(self.path())
    }

    /// The address and size of the function or variable `name` that this object defines.
    pub fn find(&self, name: &CStr) -> Option<(usize, usize)> {
        let index = if self.gnu_hash != 0 {
            self.find_gnu(name)
        } else if self.sysv_hash != 0 {
            self.find_sysv(name)
        } else {
            None
        }?;
        let symbol = self.symbol(index);
        let kind = symbol.st_info & 15;
        if symbol.st_shndx == 0 || kind == STT_TLS || kind == STT_GNU_IFUNC {
            return None;
        }
        Some((
            self.base.wrapping_add(symbol.st_value as usize),
            symbol.st_size as usize,
        ))
    }

    fn find_gnu(&self, name: &CStr) -> Option<usize> {
        let hash = name.to_bytes().iter().fold(5381u32, |hash, &byte| {
            hash.wrapping_mul(33).wrapping_add(u32::from(byte))
        });
        let word = |index: usize| -> u32 {
            // SAFETY: `gnu_hash` is the DT_GNU_HASH table of a loaded object, and the indexes
            // used below stay inside the ranges its own header and chains give.
            unsafe { *(self.gnu_hash as *const u32).add(index) }
        };
        let (buckets, first, bloom_words) = (word(0) as usize, word(1) as usize, word(2) as usize);
        if buckets == 0 {
            return None;
        }
        let bucket_table = 4 + bloom_words * 2;
        let chain_table = bucket_table + buckets;
        let mut index = word(bucket_table + hash as usize % buckets) as usize;
        if index < first {
            return None;
        }
        loop {
            let entry = word(chain_table + index - first);
            if entry | 1 == hash | 1 && self.named(index, name) {
                return Some(index);
            }
            if entry & 1 == 1 {
                return None;
            }
            index += 1;
        }
    }

    fn find_sysv(&self, name: &CStr) -> Option<usize> {
        let word = |index: usize| -> u32 {
            // SAFETY: `sysv_hash` is the DT_HASH table of a loaded object: two counts, then the
            // chains of symbol indexes below that count.
            unsafe { *(self.sysv_hash as *const u32).add(index) }
        };
        let count = word(1) as usize;
        (1..count).find(|&index| self.named(index, name))
    }

    /// The index of `name` in the symbol table: of what the object defines, or takes from others.
    pub fn symbol_index(&self, name: &CStr) -> Option<usize> {
        if self.gnu_hash == 0 {
            return (1..self.symbol_count())
                .find(|&index| self.is_called(&self.symbol(index), name));
        }
        // What it takes from others stands before what is hashed.
        // SAFETY: the second word of DT_GNU_HASH is the index of the first symbol hashed.
        let hashed = unsafe { *(self.gnu_hash as *const u32).add(1) } as usize;
        self.find_gnu(name)
            .or_else(|| (1..hashed).find(|&index| self.is_called(&self.symbol(index), name)))
    }

    /// Whether the symbol with this index, which the object itself uses, is called so.
    pub fn is_symbol(&self, index: usize, name: &CStr) -> bool {
        self.is_called(&self.symbol(index), name)
    }

    fn symbol(&self, index: usize) -> Elf64_Sym {
        // SAFETY: `index` came from the object's own tables, which only name its symbols.
        unsafe { *(self.symbols as *const Elf64_Sym).add(index) }
    }

    fn named(&self, index: usize, name: &CStr) -> bool {
        let symbol = self.symbol(index);
        symbol.st_shndx != 0 && self.is_called(&symbol, name)
    }

    fn is_called(&self, symbol: &Elf64_Sym, name: &CStr) -> bool {
        // SAFETY: `st_name` is an offset into the object's NUL-terminated string table.
        unsafe {
            libc::strcmp(
                (self.strings as *const c_char).add(symbol.st_name as usize),
                name.as_ptr(),
            ) == 0
        }
    }

    /// How many symbols the table has, as far as the hash tables tell.
    pub fn symbol_count(&self) -> usize {
        if self.sysv_hash != 0 {
            // SAFETY: the second word of DT_HASH is the number of symbols.
            return unsafe { *(self.sysv_hash as *const u32).add(1) } as usize;
        }
        if self.gnu_hash == 0 {
            return 0;
        }
        let word = |index: usize| -> u32 {
            // SAFETY: as in `find_gnu`.
            unsafe { *(self.gnu_hash as *const u32).add(index) }
        };
        let (buckets, first, bloom_words) = (word(0) as usize, word(1) as usize, word(2) as usize);
        let bucket_table = 4 + bloom_words * 2;
        let last = (0..buckets)
            .map(|bucket| word(bucket_table + bucket) as usize)
            .max();
        let Some(mut index) = last.filter(|&index| index >= first) else {
            return first;
        };
        while word(bucket_table + buckets + index - first) & 1 == 0 {
            index += 1;
        }
        index + 1
    }
}

fn read_dynamic(object: &mut Object) {
    let of = *object;
    of.each_dynamic(|tag, value| {
        let address = of.dynamic_address(value);
        match tag {
            DT_SYMTAB => object.symbols = address,
            DT_STRTAB => object.strings = address,
            DT_GNU_HASH => object.gnu_hash = address,
            DT_HASH => object.sysv_hash = address,
            _ => {}
        }
    });
}

/// A path's last component.
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// Whether `address` lies in this library.
pub fn is_ours(address: usize) -> bool {
    let start = (&raw const __ehdr_start) as usize;
    (start..(&raw const _end) as usize).contains(&address)
}

/// The address and size of `name` in the first object picked that defines it.
pub fn find_in(pick: impl Fn(&Object) -> bool, name: &CStr) -> Option<(usize, usize)> {
    let mut found = None;
    each_object(|object| {
        if pick(object) && !object.is_ours() {
            found = object.find(name);
        }
        found.is_none()
    });
    found
}

/// The address and size of `name` in the interpreter: the program itself, or a library that has
/// `python` in its name.
pub fn find_in_python_sized(name: &CStr) -> Option<(usize, usize)> {
    let is_python = |object: &Object| {
        let file = object.file_name();
        file.is_empty()
            || file
                .windows(6)
                .any(|part| part.eq_ignore_ascii_case(b"python"))
    };
    find_in(is_python, name)
}

/// The address of `name` in the interpreter.
pub fn find_in_python(name: &CStr) -> Option<usize> {
    find_in_python_sized(name).map(|(address, _)| address)
}

/// The address and size of `name` in the C library itself (or, of old ones, its `libdl` or its
/// loader).
pub fn find_in_libc(name: &CStr) -> Option<(usize, usize)> {
    let is_libc = |object: &Object| {
        let file = object.file_name();
        [&b"libc.so."[..], b"libdl.so.", b"ld-linux"]
            .iter()
            .any(|start| file.starts_with(start))
    };
    find_in(is_libc, name)
}

#[cfg(test)]
mod tests {
    use super::list::tests::objects;
    use super::*;

    static mut CHANGED: u64 = 7;

    #[test]
    fn what_code_may_write() {
        let address = &raw mut CHANGED as usize;
        let program = objects()[0];
        let (pieces, len) = program.writable::<4>().expect("headers are mapped");
        let inside = |address| pieces[..len].iter().any(|p| (p.0..p.1).contains(&address));
        assert!(inside(address));
        assert!(!inside(address_of_this()));
        // The dynamic section is read-only once the object is relocated.
        assert!(!inside(program.dynamic));
        for &(start, end) in &pieces[..len] {
            assert!(super::super::raw::is_writable(start));
            assert!(super::super::raw::is_writable(end - 8));
        }
        assert!(program.writable::<0>().is_none());
    }

    #[test]
    fn where_thread_local_variables_start() {
        let libc = objects()
            .into_iter()
            .find(|object| object.file_name().starts_with(b"libc.so."))
            .expect("the C library is loaded");
        let variables = libc.thread_local().expect("it has errno");
        assert!(variables.initial_size <= variables.size);
        assert!(memory::read_word(variables.initial & !7).is_some());
    }

    fn address_of_this() -> usize {
        address_of_this as *const () as usize
    }

    #[test]
    fn a_symbol_is_where_the_linker_put_it() {
        let (address, size) = find_in_libc(c"getppid").expect("libc has getppid");
        assert_eq!(address, libc::getppid as *const () as usize);
        assert!(size > 0);
        assert_eq!(find_in_libc(c"no such function"), None);
        let object = object_at(address).expect("in an object");
        assert!(object.file_name().starts_with(b"libc.so."));
    }
}
