//! The object at an address: by glibc's lock-free question where it has one, else by the loader's
//! list; and the answer to that question for the unwinder that is linked into this library.

use core::cell::Cell;
use core::ffi::c_int;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::list::{Entry, LinkMap, each_object};
use super::{Object, find_in_libc};

/// `struct dl_find_object` (`dlfcn.h`, glibc 2.35).
#[repr(C)]
pub(super) struct FoundObject {
    flags: u64,
    pub(super) start: usize,
    pub(super) end: usize,
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

pub(super) fn find_object(address: usize) -> Option<FoundObject> {
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

#[cfg(test)]
mod tests {
    use super::super::list::tests::objects;
    use super::*;

    fn address_of_this() -> usize {
        address_of_this as *const () as usize
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
}
