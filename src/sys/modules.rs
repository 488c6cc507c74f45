//! The table of loaded objects, kept so that a forked child can name its frames without the
//! loader.
//!
//! The parent refreshes it when it initialises CUDA and when it forks; two copies, so that a
//! child forked in the middle of a refresh still has a whole one.

use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use libc::Elf64_Sym;

use super::elf::{self, Object};
use super::{memory, quiet};

/// Objects kept; a torch process has about 300.
const CAPACITY: usize = 1024;

/// The path of what has none that can be told any more.
pub const UNKNOWN: &str = "?";

/// An object, and where it lies.
#[derive(Clone, Copy)]
pub struct Module {
    object: Object,
    start: usize,
    end: usize,
}

impl Module {
    const EMPTY: Self = Self {
        object: Object::EMPTY,
        start: 0,
        end: 0,
    };

    fn of(object: &Object) -> Self {
        let (start, end) = object.range();
        Self {
            object: *object,
            start,
            end,
        }
    }

    fn contains(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// The object's path; empty for the program itself, and [`UNKNOWN`] for what was
    /// unloaded.
    ///
    /// The loader frees the name of what it unloads, and a text of the program's may lie there by
    /// now: it is not told. Where the object was loaded again, the name is that of this time.
    pub fn path(&self) -> &'static str {
        path(elf::as_loaded(&self.object))
    }

    fn located(&self, address: usize, loaded: Option<Object>) -> Located<'static> {
        Located {
            path: path(loaded),
            offset: address - self.object.base,
            symbol: None,
            symbol_offset: 0,
        }
    }

    /// The build id of its file, and how many bytes that has.
    pub fn build_id(&self) -> Option<([u8; elf::BUILD_ID], usize)> {
        elf::build_id(&self.object, self.start, self.end)
    }
}

fn path(loaded: Option<Object>) -> &'static str {
    let Some(loaded) = loaded else { return UNKNOWN };
    if loaded.name.is_null() {
        return "";
    }
    // SAFETY: the loader has the object just now, and its name as long; this thread looks at it at
    // once.
    let path: &'static CStr = unsafe { CStr::from_ptr(loaded.name) };
    path.to_str().unwrap_or(UNKNOWN)
}

struct Table {
    objects: UnsafeCell<[Module; CAPACITY]>,
    len: AtomicUsize,
}

// SAFETY: a table is written only by the holder of `BUSY`, and only while it is not the current
// one; readers read only the current one.
unsafe impl Sync for Table {}

static TABLES: [Table; 2] = [const {
    Table {
        objects: UnsafeCell::new([Module::EMPTY; CAPACITY]),
        len: AtomicUsize::new(0),
    }
}; 2];
static CURRENT: AtomicUsize = AtomicUsize::new(0);
static CHANGES: AtomicU64 = AtomicU64::new(0);
static BUSY: AtomicBool = AtomicBool::new(false);

/// Brings the table up to date where objects were loaded or unloaded since. Reads the loader's list.
pub fn refresh() {
    // Mostly nothing has changed, and then nothing is written: of a process that has just forked
    // the first write to a page is its copy.
    if elf::fingerprint() == CHANGES.load(Ordering::Relaxed) || BUSY.swap(true, Ordering::Acquire) {
        return;
    }
    let next = 1 - CURRENT.load(Ordering::Relaxed);
    let table = &TABLES[next];
    let seen = elf::fingerprint();
    let mut len = 0;
    elf::each_object(|object| {
        if len < CAPACITY {
            // SAFETY: `BUSY` is held and `next` is not the current table: nobody else is here.
            unsafe { (*table.objects.get())[len] = Module::of(object) };
            len += 1;
        }
        true
    });
    table.len.store(len, Ordering::Relaxed);
    CURRENT.store(next, Ordering::Release);
    CHANGES.store(seen, Ordering::Relaxed);
    BUSY.store(false, Ordering::Release);
}

/// A number that changes when objects are loaded or unloaded, as of the last refresh.
pub fn changes() -> u64 {
    CHANGES.load(Ordering::Relaxed)
}

/// In a forked child: a refresh that another thread of the parent had begun will never end.
pub fn after_fork() {
    quiet::store(&BUSY, false);
}

fn current() -> &'static [Module] {
    let table = &TABLES[CURRENT.load(Ordering::Acquire)];
    // SAFETY: the current table is not written until another one has become current; a refresh
    // that overtakes a reader twice could be seen torn, which costs a name in a report: the
    // readers check all they follow.
    unsafe { &(&*table.objects.get())[..table.len.load(Ordering::Relaxed).min(CAPACITY)] }
}

/// Modules that were met, to be told of once each: a place for each that the table can hold.
///
/// By their places in the table. A refresh by another thread of this process may move them, which
/// costs a module that is told too much, and one too little.
#[derive(Default)]
pub struct Met([u64; CAPACITY / 64]);

impl Met {
    /// Notes the module that holds `address`.
    pub fn note(&mut self, address: usize) {
        let met = current().iter().position(|module| module.contains(address));
        if let Some(index) = met {
            self.0[index / 64] |= 1 << (index % 64);
        }
    }

    /// The modules noted, in the loader's order.
    pub fn modules(&self) -> impl Iterator<Item = &'static Module> {
        current()
            .iter()
            .enumerate()
            .filter(|(index, _)| self.0[index / 64] >> (index % 64) & 1 == 1)
            .map(|(_, module)| module)
    }
}

/// Where an address lies.
#[derive(Clone, Copy, Debug)]
pub struct Located<'a> {
    /// The object's path; the program's own is `/proc/self/exe`'s name or empty.
    pub path: &'a str,
    /// The address, as the object's file numbers it.
    pub offset: usize,
    /// The nearest exported symbol at or before the address.
    pub symbol: Option<&'a str>,
    /// How far after the symbol.
    pub symbol_offset: usize,
}

/// The object that holds `address`, as of the last refresh.
pub fn object_at(address: usize) -> Option<&'static Module> {
    current().iter().find(|object| object.contains(address))
}

/// Names `address`, without the symbol: no more than a walk of the table.
pub fn locate_module(address: usize) -> Option<Located<'static>> {
    let module = object_at(address)?;
    Some(module.located(address, elf::as_loaded(&module.object)))
}

/// Names `address`, with the nearest exported symbol of its object.
pub fn locate(address: usize) -> Option<Located<'static>> {
    let module = object_at(address)?;
    let loaded = elf::as_loaded(&module.object);
    let mut located = module.located(address, loaded);
    if let Some(loaded) = loaded
        && let Some((name, distance)) = nearest_symbol(&loaded, address)
    {
        located.symbol = Some(name);
        located.symbol_offset = distance;
    }
    Some(located)
}

/// Reads the symbol table in pieces.
fn nearest_symbol(object: &Object, address: usize) -> Option<(&'static str, usize)> {
    // Reports are made on small stacks.
    const PIECE: usize = 48;
    if object.symbols == 0 || object.strings == 0 || memory::read_word(object.symbols).is_none() {
        return None;
    }
    let count = object.symbol_count();
    let mut reader = memory::Reader::default();
    let mut best: Option<(Elf64_Sym, usize)> = None;
    let mut buffer = [const { MaybeUninit::<Elf64_Sym>::zeroed() }; PIECE];
    let mut index = 0;
    while index < count {
        let take = PIECE.min(count - index);
        // SAFETY: the `take` symbols of `buffer`, as bytes that are all initialised.
        let bytes = unsafe {
            core::slice::from_raw_parts_mut(
                buffer.as_mut_ptr().cast::<u8>(),
                take * size_of::<Elf64_Sym>(),
            )
        };
        if !reader.read(object.symbols + index * size_of::<Elf64_Sym>(), bytes) {
            break;
        }
        for symbol in &buffer[..take] {
            // SAFETY: zeroed or read above; every bit pattern is a valid symbol.
            let symbol = unsafe { symbol.assume_init() };
            let start = object.base.wrapping_add(symbol.st_value as usize);
            let is_function = symbol.st_info & 15 == 2;
            if symbol.st_shndx != 0 && is_function && start <= address {
                let inside = symbol.st_size == 0 || address - start <= symbol.st_size as usize;
                if inside && best.is_none_or(|(_, distance)| address - start < distance) {
                    best = Some((symbol, address - start));
                }
            }
        }
        index += take;
    }
    let (symbol, distance) = best?;
    // SAFETY: the string table of an object whose symbol table could be read just now is mapped
    // too, and its strings end with NUL.
    let name = unsafe {
        CStr::from_ptr((object.strings as *const core::ffi::c_char).add(symbol.st_name as usize))
    };
    Some((name.to_str().ok()?, distance))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's and the program's own, too.
    #[test]
    fn what_is_loaded_has_its_path() {
        let mut count = 0;
        elf::each_object(|object| {
            let name = core::str::from_utf8(object.path()).expect("paths here are text");
            assert_eq!(Module::of(object).path(), name);
            count += 1;
            true
        });
        assert!(
            count >= 3,
            "the program, the kernel's object, the C library"
        );
    }
}
