//! Loaded objects and their symbols, read from the loader's list and the objects' own tables.
//!
//! `dlsym` cannot be asked where the true `dlsym` is, for the library replaces it; so the C
//! library's hash table is read directly. The same reading finds an interpreter's functions in a
//! `libpython` that was loaded locally, without touching `dlerror`.
//!
//! The list is walked without the loader's lock. `dl_iterate_phdr` would take it, and glibc before
//! 2.37 leaves it locked in the child of a fork that another thread makes meanwhile: then every
//! `dlopen` of the program's own hangs there. The price is that an object which another thread
//! unloads in the same microsecond may be read half gone; each step of the walk is checked
//! against that, and symbols are only looked up in objects that a caller picks by name, which
//! programs do not unload.

use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int};
use core::mem::offset_of;
use core::sync::atomic::{AtomicUsize, Ordering, compiler_fence};

use libc::{Elf64_Ehdr, Elf64_Phdr, Elf64_Sym};

use super::memory;

const DT_NULL: i64 = 0;
const DT_HASH: i64 = 4;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_GNU_HASH: i64 = 0x6fff_fef5;

/// Bytes of the longest build id that is kept; linkers write 8, 16 or 20.
pub const BUILD_ID: usize = 64;
/// The note's type, and its owner's name.
const NT_GNU_BUILD_ID: u32 = 3;
const GNU: [u8; 4] = *b"GNU\0";
/// Program headers that are looked at, and notes of one header: more is no object of a linker's.
const HEADERS: usize = 64;
const NOTES: usize = 32;

const STT_TLS: u8 = 6;
const STT_GNU_IFUNC: u8 = 10;

/// A loaded object, as the loader lists it (`link.h`).
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    dynamic: usize,
    next: *const LinkMap,
    previous: *const LinkMap,
}

/// The loader's list (`link.h`).
#[repr(C)]
struct Debug {
    version: c_int,
    first: *const LinkMap,
}

/// `struct dl_find_object` (`dlfcn.h`, glibc 2.35).
#[repr(C)]
struct FoundObject {
    flags: u64,
    start: usize,
    end: usize,
    map: *const LinkMap,
    unwind: usize,
    reserved: [u64; 7],
}

type FindObject = unsafe extern "C" fn(usize, *mut FoundObject) -> c_int;

// The unwinder that is linked into this library (build.rs) asks for the object of each frame by
// glibc's name for that question. Answering it here makes one library fit for every glibc: for
// those that have no such function, and would not load a library that needs it. The name is
// for this library alone: `.globl` is for its linker, which exports only what Rust does.
#[cfg(target_arch = "x86_64")]
macro_rules! jump {
    () => {
        "jmp {answer}"
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! jump {
    () => {
        "b {answer}"
    };
}
core::arch::global_asm!(
    ".globl _dl_find_object",
    ".hidden _dl_find_object",
    ".type _dl_find_object, %function",
    "_dl_find_object:",
    jump!(),
    answer = sym find_for_unwinder,
);

unsafe extern "C" {
    static _r_debug: Debug;
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

/// What the loader has in the place of `object` now, as far as it is the same: its name and its tables
/// are the present ones. `None` where it was unloaded.
///
/// For a forked child, long after the object was listed: the loader's record is read without faulting,
/// and believed where it still is a link of the loader's list and of an object that lies there. What
/// was freed is no link of it, whatever came to lie there.
pub fn as_loaded(object: &Object) -> Option<Object> {
    let mut reader = memory::Reader::default();
    let mut word = |record: usize, at| reader.word(record.checked_add(at)?);
    let record = object.handle;
    let previous = word(record, offset_of!(LinkMap, previous))?;
    let is_linked = previous == 0 || word(previous, offset_of!(LinkMap, next))? == record;
    let is_same = word(record, offset_of!(LinkMap, base))? == object.base
        && word(record, offset_of!(LinkMap, dynamic))? == object.dynamic;
    if !is_linked || !is_same {
        return None;
    }
    Some(Entry::read(record as *const LinkMap)?.object())
}

/// The build id that the linker wrote into the object whose file is mapped from `start` to `end`,
/// and how many bytes it has. For a forked child, too: what lies there is read without faulting, and
/// believed where it is an object with this dynamic section.
pub fn build_id(object: &Object, start: usize, end: usize) -> Option<([u8; BUILD_ID], usize)> {
    let mut found = None;
    look(
        &mut memory::Reader::default(),
        object,
        start,
        |reader, header| {
            let notes = object.base.wrapping_add(header.p_vaddr as usize);
            let after = notes.checked_add(header.p_memsz as usize);
            let inside = start <= notes && after.is_some_and(|after| after <= end);
            if header.p_type == libc::PT_NOTE && found.is_none() && inside {
                found = id_in_notes(reader, header, notes);
            }
        },
    )?;
    found
}

/// Gives each program header of the object at `start` to `visit`. Answers nothing where the object
/// is not there any more.
fn look(
    reader: &mut memory::Reader,
    object: &Object,
    start: usize,
    mut visit: impl FnMut(&mut memory::Reader, &Elf64_Phdr),
) -> Option<()> {
    let header: Elf64_Ehdr = read_plain(reader, start)?;
    let known = header.e_ident[..4] == *b"\x7fELF"
        && usize::from(header.e_phentsize) == size_of::<Elf64_Phdr>()
        && usize::from(header.e_phnum) <= HEADERS;
    let table = start.checked_add(usize::try_from(header.e_phoff).ok()?)?;
    if !known {
        return None;
    }
    let mut same = false;
    for index in 0..usize::from(header.e_phnum) {
        let at = table.checked_add(index * size_of::<Elf64_Phdr>())?;
        let header: Elf64_Phdr = read_plain(reader, at)?;
        let address = object.base.wrapping_add(header.p_vaddr as usize);
        same |= header.p_type == libc::PT_DYNAMIC && address == object.dynamic;
        visit(reader, &header);
    }
    same.then_some(())
}

fn id_in_notes(
    reader: &mut memory::Reader,
    header: &Elf64_Phdr,
    notes: usize,
) -> Option<([u8; BUILD_ID], usize)> {
    // 4, but 8 in the segment of a property note.
    let align = (header.p_align as usize).clamp(4, 8);
    let after = notes + header.p_memsz as usize;
    let mut at = notes;
    for _ in 0..NOTES {
        let [name_size, size, kind] = read_plain::<[u32; 3]>(reader, at)?;
        let name_at = at + 12;
        let content = (name_at.checked_add(name_size as usize)?).checked_next_multiple_of(align)?;
        let next = (content.checked_add(size as usize)?).checked_next_multiple_of(align)?;
        if content.checked_add(size as usize)? > after {
            return None;
        }
        let size = size as usize;
        if kind == NT_GNU_BUILD_ID
            && name_size as usize == GNU.len()
            && (1..=BUILD_ID).contains(&size)
            && read_plain::<[u8; 4]>(reader, name_at)? == GNU
        {
            let mut id = [0; BUILD_ID];
            return reader.read(content, &mut id[..size]).then_some((id, size));
        }
        at = next;
    }
    None
}

/// Something of plain numbers, copied.
fn read_plain<T: Plain>(reader: &mut memory::Reader, at: usize) -> Option<T> {
    let mut value = core::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: the bytes of a zeroed value, which are all initialised; they end before `value` does.
    let bytes =
        unsafe { core::slice::from_raw_parts_mut(value.as_mut_ptr().cast::<u8>(), size_of::<T>()) };
    // SAFETY: `Plain` says that any bytes are a value.
    reader
        .read(at, bytes)
        .then(|| unsafe { value.assume_init() })
}

/// What any bytes are a value of.
///
/// # Safety
/// Numbers only, without padding between them.
unsafe trait Plain {}

// SAFETY: numbers, and the layouts of the ELF format have no padding.
unsafe impl Plain for Elf64_Ehdr {}
// SAFETY: as above.
unsafe impl Plain for Elf64_Phdr {}
// SAFETY: an array of numbers.
unsafe impl Plain for [u32; 3] {}
// SAFETY: as above.
unsafe impl Plain for [u8; 4] {}

/// A path's last component.
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// Calls `visit` for each loaded object in the loader's order (the program first, preloaded
/// libraries next), until it answers false.
pub fn each_object(mut visit: impl FnMut(&Object) -> bool) {
    let mut map = first_map();
    while let Some(entry) = Entry::read(map) {
        if !visit(&entry.object()) {
            return;
        }
        map = entry.next;
    }
}

/// A number that changes when objects are loaded or unloaded, be it that another one came to lie where
/// one was, and its record, too.
pub fn fingerprint() -> u64 {
    let mut map = first_map();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    while let Some(entry) = Entry::read(map) {
        let place = (entry.base as u64).rotate_left(32) ^ (entry.dynamic as u64).rotate_left(16);
        hash = (hash ^ map as u64 ^ place).wrapping_mul(0x0100_0000_01b3);
        map = entry.next;
    }
    hash
}

fn first_map() -> *const LinkMap {
    // SAFETY: the loader's variable; it has the program in it before any library's code runs.
    unsafe { (&raw const _r_debug.first).read_volatile() }
}

/// One entry of the list, copied.
struct Entry {
    map: *const LinkMap,
    base: usize,
    name: *const c_char,
    dynamic: usize,
    next: *const LinkMap,
}

impl Entry {
    fn read(map: *const LinkMap) -> Option<Self> {
        if map.is_null() {
            return None;
        }
        // SAFETY: the loader makes an entry whole before it links it, and entries live on the
        // heap: one that is unlinked right now is still readable memory.
        let (entry, previous) = unsafe {
            let entry = Self {
                map,
                base: (*map).base,
                name: (*map).name,
                dynamic: (*map).dynamic,
                next: (*map).next,
            };
            (entry, (*map).previous)
        };
        compiler_fence(Ordering::Acquire);
        // An entry that is no longer linked ends the walk: what was copied may be garbage.
        // SAFETY: as above; `previous` is an entry, or null for the first.
        let linked =
            previous.is_null() || unsafe { (&raw const (*previous).next).read_volatile() } == map;
        linked.then_some(entry)
    }

    fn object(&self) -> Object {
        let mut object = Object {
            handle: self.map as usize,
            base: self.base,
            name: self.name,
            dynamic: self.dynamic,
            ..Object::EMPTY
        };
        read_dynamic(&mut object);
        object
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

/// Whether `address` lies in this library.
pub fn is_ours(address: usize) -> bool {
    let start = (&raw const __ehdr_start) as usize;
    (start..(&raw const _end) as usize).contains(&address)
}

static FIND_OBJECT: AtomicUsize = AtomicUsize::new(0);

/// Finds glibc's lock-free question for the object at an address (2.35). Called once.
pub fn prepare() {
    if let Some((address, _)) = find_in_libc(c"_dl_find_object") {
        FIND_OBJECT.store(address, Ordering::Release);
    }
}

/// Whether the C library finds objects, and so unwind tables, without a lock.
pub fn finds_without_lock() -> bool {
    FIND_OBJECT.load(Ordering::Acquire) != 0
}

fn find_object(address: usize) -> Option<FoundObject> {
    let function = FIND_OBJECT.load(Ordering::Acquire);
    if function == 0 {
        return None;
    }
    // SAFETY: glibc's `_dl_find_object`, found by that name.
    let function: FindObject = unsafe { core::mem::transmute(function) };
    let mut found = FoundObject {
        flags: 0,
        start: 0,
        end: 0,
        map: core::ptr::null(),
        unwind: 0,
        reserved: [0; 7],
    };
    // SAFETY: takes any address; `found` is as large as any version of the struct so far.
    (unsafe { function(address, &raw mut found) } == 0).then_some(found)
}

/// What glibc's question answers, from the loader's list.
fn find_in_list(address: usize) -> Option<FoundObject> {
    let object = listed_at(address)?;
    let (start, end) = object.range_by_headers()?;
    Some(FoundObject {
        flags: 0,
        start,
        end,
        map: object.handle as *const LinkMap,
        unwind: object.unwind_table()?,
        reserved: [0; 7],
    })
}

/// The object that holds `address`: glibc's answer, else one from the loader's list.
#[inline]
fn find(address: usize) -> Option<FoundObject> {
    if finds_without_lock() {
        find_object(address)
    } else {
        find_in_list(address)
    }
}

/// `_dl_find_object`, as the unwinder asks.
///
/// # Safety
/// `into` points to the struct to be filled in.
unsafe extern "C" fn find_for_unwinder(address: usize, into: *mut FoundObject) -> c_int {
    let Some(found) = find(address) else {
        return -1;
    };
    // SAFETY: the unwinder's own struct.
    unsafe { into.write(found) };
    0
}

/// An object, as a walk through its code needs it.
#[derive(Clone, Copy)]
pub struct Code {
    /// Its first address …
    pub start: usize,
    /// … and the first after it.
    pub end: usize,
    /// Its `.eh_frame_hdr`.
    pub unwind: usize,
}

/// The object that holds `address`, which is one of code, and has unwind tables.
pub fn code_at(address: usize) -> Option<Code> {
    let found = find(address)?;
    let inside = (found.start..found.end).contains(&found.unwind);
    inside.then_some(Code {
        start: found.start,
        end: found.end,
        unwind: found.unwind,
    })
}

/// The object that holds `address`, which is one of code.
pub fn object_at(address: usize) -> Option<Object> {
    if finds_without_lock() {
        return Some(Entry::read(find_object(address)?.map)?.object());
    }
    listed_at(address)
}

/// The object that holds `address`, by the loader's list.
fn listed_at(address: usize) -> Option<Object> {
    let found = Cell::new(None);
    each_object(|object| {
        let (start, end) = object.range();
        if (start..end).contains(&address) {
            found.set(Some(*object));
        }
        found.get().is_none()
    });
    found.get()
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
    use super::*;

    fn objects() -> Vec<Object> {
        let mut objects = Vec::new();
        each_object(|object| {
            objects.push(*object);
            true
        });
        objects
    }

    #[test]
    fn the_program_and_its_libraries_are_listed_in_order() {
        let objects = objects();
        assert_eq!(objects[0].path(), b"");
        assert!(
            objects
                .iter()
                .any(|object| object.file_name().starts_with(b"libc.so."))
        );
        assert_eq!(objects.iter().filter(|object| object.is_ours()).count(), 1);
    }

    /// The headers say at least what glibc's lock-free question does, which an old one lacks.
    #[test]
    fn headers_tell_the_range() {
        prepare();
        assert!(finds_without_lock(), "this test needs glibc 2.35");
        for object in objects() {
            let (start, end) = object.range_by_headers().expect("headers are mapped");
            assert!((start..end).contains(&object.dynamic));
        }
        for code in [address_of_this(), libc::getppid as *const () as usize] {
            let (start, end) = object_at(code).expect("it is in an object").range();
            let found = find_object(code).expect("glibc knows where code is");
            assert!(start <= found.start && found.start <= code);
            // To the byte, or to the page.
            assert!(code < found.end && found.end <= end.next_multiple_of(65536));
        }
    }

    /// By the C library's own notes, as `file` or `readelf -n` would read them from the file.
    #[test]
    fn build_ids_are_those_of_the_files() {
        use object::Object as _;
        prepare();
        let mut compared = 0;
        for object in objects() {
            let path = match object.path() {
                b"" => std::env::current_exe().unwrap(),
                path => std::path::PathBuf::from(std::str::from_utf8(path).unwrap()),
            };
            // The vdso has no file.
            let Ok(bytes) = std::fs::read(&path) else {
                continue;
            };
            let file = object::File::parse(&*bytes).unwrap();
            let (start, end) = object.range();
            let read = build_id(&object, start, end);
            let read = read.as_ref().map(|(id, len)| &id[..*len]);
            assert_eq!(read, file.build_id().unwrap(), "{}", path.display());
            compared += usize::from(read.is_some());
        }
        assert!(compared >= 2, "{compared} of the files have a build id");
    }

    #[test]
    fn no_build_id_where_no_object_is_any_more() {
        let mut object = objects()[0];
        let (start, end) = object.range();
        // Another object lies there now.
        object.dynamic += 8;
        assert!(build_id(&object, start, end).is_none());
        // Nothing does, or no object.
        assert!(build_id(&object, 4096, 8192).is_none());
        let stack = 0u64;
        let here = (&raw const stack).addr();
        assert!(build_id(&object, here, here + 8).is_none());
    }

    #[test]
    fn what_is_loaded_no_more() {
        let objects = objects();
        for object in &objects {
            let now = as_loaded(object).expect("it is loaded");
            assert_eq!((now.name, now.symbols), (object.name, object.symbols));
        }
        let of = objects[1];
        // Another object lies there, or in the place of its record.
        let another = Object {
            dynamic: of.dynamic + 8,
            ..of
        };
        let handle = objects[2].handle;
        assert!(as_loaded(&another).is_none());
        assert!(as_loaded(&Object { handle, ..of }).is_none());
        // A record that was taken out of the list, and what never was one.
        let record = [0, of.name.addr(), of.dynamic, 0, of.handle];
        let unlinked = Object {
            base: 0,
            handle: (&raw const record).addr(),
            ..of
        };
        assert!(as_loaded(&unlinked).is_none());
        for handle in [0, 1, 4096, usize::MAX - 7] {
            assert!(as_loaded(&Object { handle, ..of }).is_none());
        }
    }

    /// What the unwinder is told where glibc cannot be asked.
    #[test]
    fn the_list_tells_unwind_tables() {
        prepare();
        assert!(finds_without_lock(), "this test needs glibc 2.35");
        for code in [address_of_this(), libc::getppid as *const () as usize] {
            let listed = find_in_list(code).expect("it is in an object");
            let found = find_object(code).expect("glibc knows where code is");
            assert_eq!(listed.unwind, found.unwind);
            assert_eq!(listed.map, found.map);
        }
        assert!(find_in_list(8).is_none());
    }

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

    #[test]
    fn a_loaded_library_changes_the_fingerprint() {
        let before = fingerprint();
        assert_eq!(before, fingerprint());
        // SAFETY: a library of the C library's own, without effects.
        let library = unsafe { libc::dlopen(c"libBrokenLocale.so.1".as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null());
        assert_ne!(before, fingerprint());
    }
}
