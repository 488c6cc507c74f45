//! The loader's list of loaded objects, walked without its lock.
//!
//! `dl_iterate_phdr` would take it, and glibc before 2.37 leaves it locked in the child of a fork
//! that another thread makes meanwhile: then every `dlopen` of the program's own hangs there. The
//! price is that an object which another thread unloads in the same microsecond may be read half
//! gone; each step of the walk is checked against that, and symbols are only looked up in objects
//! that a caller picks by name, which programs do not unload.

use core::ffi::{c_char, c_int};
use core::mem::offset_of;
use core::sync::atomic::{Ordering, compiler_fence};

use super::{Object, read_dynamic};
use crate::sys::memory;

/// A loaded object, as the loader lists it (`link.h`).
#[repr(C)]
pub(super) struct LinkMap {
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

unsafe extern "C" {
    static _r_debug: Debug;
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
pub(super) struct Entry {
    map: *const LinkMap,
    base: usize,
    name: *const c_char,
    dynamic: usize,
    next: *const LinkMap,
}

impl Entry {
    pub(super) fn read(map: *const LinkMap) -> Option<Self> {
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

    pub(super) fn object(&self) -> Object {
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

#[cfg(test)]
pub mod tests {
    use super::*;

    /// All of them.
    pub fn objects() -> Vec<Object> {
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
