//! Symbols of loaded objects, read from their own tables.
//!
//! `dlsym` cannot be asked where the true `dlsym` is, for the library replaces it; so the C
//! library's hash table is read directly. The same reading finds an interpreter's functions in a
//! `libpython` that was loaded locally, without touching `dlerror`.
//!
//! [`each_object`] uses `dl_iterate_phdr`, which takes a lock: never on a forked child's way to
//! its report.

use core::ffi::{CStr, c_char, c_int, c_void};

use libc::{Elf64_Phdr, Elf64_Sym, dl_phdr_info};

const DT_NULL: i64 = 0;
const DT_HASH: i64 = 4;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_GNU_HASH: i64 = 0x6fff_fef5;

const STT_TLS: u8 = 6;
const STT_GNU_IFUNC: u8 = 10;

/// One loaded object.
#[derive(Clone, Copy)]
pub struct Object {
    /// What is added to the object's own addresses.
    pub base: usize,
    /// The lowest address it occupies.
    pub start: usize,
    /// The first address after it.
    pub end: usize,
    /// The path it was loaded by (empty for the program itself), owned by the loader.
    pub name: *const c_char,
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
        base: 0,
        start: 0,
        end: 0,
        name: core::ptr::null(),
        symbols: 0,
        strings: 0,
        gnu_hash: 0,
        sysv_hash: 0,
    };

    /// Whether `address` lies in it.
    pub fn contains(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
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
        let symbol = if self.gnu_hash != 0 {
            self.find_gnu(name)
        } else if self.sysv_hash != 0 {
            self.find_sysv(name)
        } else {
            None
        }?;
        let kind = symbol.st_info & 15;
        if symbol.st_shndx == 0 || kind == STT_TLS || kind == STT_GNU_IFUNC {
            return None;
        }
        Some((
            self.base.wrapping_add(symbol.st_value as usize),
            symbol.st_size as usize,
        ))
    }

    fn find_gnu(&self, name: &CStr) -> Option<Elf64_Sym> {
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
                return Some(self.symbol(index));
            }
            if entry & 1 == 1 {
                return None;
            }
            index += 1;
        }
    }

    fn find_sysv(&self, name: &CStr) -> Option<Elf64_Sym> {
        let word = |index: usize| -> u32 {
            // SAFETY: `sysv_hash` is the DT_HASH table of a loaded object: two counts, then the
            // chains of symbol indexes below that count.
            unsafe { *(self.sysv_hash as *const u32).add(index) }
        };
        let count = word(1) as usize;
        (1..count)
            .find(|&index| self.named(index, name))
            .map(|index| self.symbol(index))
    }

    fn symbol(&self, index: usize) -> Elf64_Sym {
        // SAFETY: `index` came from the object's own hash table, which only names its symbols.
        unsafe { *(self.symbols as *const Elf64_Sym).add(index) }
    }

    fn named(&self, index: usize, name: &CStr) -> bool {
        let symbol = self.symbol(index);
        // SAFETY: `st_name` is an offset into the object's NUL-terminated string table.
        symbol.st_shndx != 0
            && unsafe {
                libc::strcmp(
                    (self.strings as *const c_char).add(symbol.st_name as usize),
                    name.as_ptr(),
                )
            } == 0
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

/// A path's last component.
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// Calls `visit` for each loaded object in the loader's order, with the counts of objects ever
/// loaded and unloaded, until it answers false.
pub fn each_object(mut visit: impl FnMut(&Object, u64) -> bool) {
    unsafe extern "C" fn callback<F: FnMut(&Object, u64) -> bool>(
        info: *mut dl_phdr_info,
        _size: usize,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: `data` is the closure given below, alive and unshared during the call; `info`
        // is the loader's, valid during the call.
        let (visit, info) = unsafe { (&mut *data.cast::<F>(), &*info) };
        let changes = info.dlpi_adds.wrapping_add(info.dlpi_subs);
        c_int::from(!visit(&object(info), changes))
    }
    fn call<F: FnMut(&Object, u64) -> bool>(visit: &mut F) {
        // SAFETY: the callback gets the closure's own type back.
        unsafe { libc::dl_iterate_phdr(Some(callback::<F>), core::ptr::from_mut(visit).cast()) };
    }
    call(&mut visit);
}

fn object(info: &dl_phdr_info) -> Object {
    let mut object = Object {
        base: info.dlpi_addr as usize,
        start: usize::MAX,
        name: info.dlpi_name,
        ..Object::EMPTY
    };
    let mut dynamic = 0usize;
    for index in 0..usize::from(info.dlpi_phnum) {
        // SAFETY: the loader gives `dlpi_phnum` headers.
        let header: &Elf64_Phdr = unsafe { &*info.dlpi_phdr.add(index) };
        let address = object.base.wrapping_add(header.p_vaddr as usize);
        if header.p_type == libc::PT_LOAD {
            object.start = object.start.min(address & !4095);
            object.end = object.end.max(address + header.p_memsz as usize);
        } else if header.p_type == libc::PT_DYNAMIC {
            dynamic = address;
        }
    }
    if dynamic != 0 {
        read_dynamic(&mut object, dynamic);
    }
    object
}

fn read_dynamic(object: &mut Object, dynamic: usize) {
    let mut entry = dynamic as *const [u64; 2];
    loop {
        // SAFETY: the dynamic section of a loaded object is mapped and ends with DT_NULL.
        let [tag, value] = unsafe { *entry };
        // glibc stores these as addresses, except in objects it may not write (the vdso).
        let mut address = value as usize;
        if address < object.base {
            address = address.wrapping_add(object.base);
        }
        match tag as i64 {
            DT_NULL => return,
            DT_SYMTAB => object.symbols = address,
            DT_STRTAB => object.strings = address,
            DT_GNU_HASH => object.gnu_hash = address,
            DT_HASH => object.sysv_hash = address,
            _ => {}
        }
        // SAFETY: not yet at DT_NULL, so another entry follows.
        entry = unsafe { entry.add(1) };
    }
}

/// Whether `object` is this library.
pub fn is_ours(object: &Object) -> bool {
    object.contains(is_ours as *const () as usize)
}

/// The address and size of `name` in the first loaded object that defines it, other than this
/// library.
pub fn find_anywhere_sized(name: &CStr) -> Option<(usize, usize)> {
    let mut found = None;
    each_object(|object, _| {
        if !is_ours(object) {
            found = object.find(name);
        }
        found.is_none()
    });
    found
}

/// The address of `name` in the first loaded object that defines it, other than this library.
pub fn find_anywhere(name: &CStr) -> Option<usize> {
    find_anywhere_sized(name).map(|(address, _)| address)
}

/// The address and size of `name` in the C library itself (or, of old ones, its `libdl`).
pub fn find_in_libc(name: &CStr) -> Option<(usize, usize)> {
    let mut found = None;
    each_object(|object, _| {
        let file = object.file_name();
        if file.starts_with(b"libc.so.") || file.starts_with(b"libdl.so.") {
            found = object.find(name);
        }
        found.is_none()
    });
    found
}
