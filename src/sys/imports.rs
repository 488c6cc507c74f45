//! The slots through which an object's calls of a function go, which the loader fills.
//!
//! Only of objects that stay loaded, and found anew in each process that asks.

use core::ffi::{CStr, c_void};

use super::elf::Object;
use super::raw;

/// `Elf64_Rela` (`elf.h`).
#[repr(C)]
struct Relocation {
    place: u64,
    info: u64,
    addend: i64,
}

const DT_PLTRELSZ: i64 = 2;
const DT_RELA: i64 = 7;
const DT_RELASZ: i64 = 8;
const DT_JMPREL: i64 = 23;

/// The relocations that name a function's address: of its first call, and of its address taken.
#[cfg(target_arch = "x86_64")]
const KINDS: [u64; 2] = [7, 6];
#[cfg(target_arch = "aarch64")]
const KINDS: [u64; 2] = [1026, 1025];

/// Where `object` keeps the address of `name` that it calls, its own or another object's function.
pub fn slot(object: &Object, name: &CStr) -> Option<usize> {
    let symbol = object.symbol_index(name);
    // Of an object that has nothing for others, some linkers' hash tables say nothing at all.
    if symbol.is_none() && object.symbol_count() > 1 {
        return None;
    }
    let is_wanted = |info: u64| {
        let (used, kind) = ((info >> 32) as usize, info & u64::from(u32::MAX));
        let is_it = || symbol.map_or_else(|| object.is_symbol(used, name), |it| it == used);
        KINDS.contains(&kind) && is_it()
    };
    let tables = Tables::of(object);
    [
        (tables.calls, tables.calls_size),
        (tables.others, tables.others_size),
    ]
    .into_iter()
    .filter(|&(table, _)| table != 0)
    .find_map(|(table, size)| {
        (0..size / size_of::<Relocation>()).find_map(|index| {
            // SAFETY: the table of a loaded object, of the size that its dynamic section says.
            let entry = unsafe { &*(table as *const Relocation).add(index) };
            is_wanted(entry.info).then(|| object.base.wrapping_add(entry.place as usize))
        })
    })
}

/// Makes the calls of `name` in `object` go to the function at `to`. In a process with one thread, as
/// a forked child is: for a moment, slots that the loader has protected are not.
pub fn redirect(object: &Object, name: &CStr, to: usize) -> bool {
    slot(object, name).is_some_and(|slot| raw::write_word(slot, to) || write_protected(slot, to))
}

fn write_protected(slot: usize, value: usize) -> bool {
    // SAFETY: takes any number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let start = (slot & !(page - 1)) as *mut c_void;
    let protect = |access| {
        // SAFETY: a page of the object's slots, whose meaning does not change; what others on it
        // may do is what the loader let them do before it protected it, and less again.
        unsafe { libc::mprotect(start, page, access) == 0 }
    };
    if !protect(libc::PROT_READ | libc::PROT_WRITE) {
        return false;
    }
    let done = raw::write_word(slot, value);
    protect(libc::PROT_READ);
    done
}

#[derive(Default)]
struct Tables {
    calls: usize,
    calls_size: usize,
    others: usize,
    others_size: usize,
}

impl Tables {
    fn of(object: &Object) -> Self {
        let mut tables = Self::default();
        object.each_dynamic(|tag, value| match tag {
            DT_JMPREL => tables.calls = object.dynamic_address(value),
            DT_PLTRELSZ => tables.calls_size = value,
            DT_RELA => tables.others = object.dynamic_address(value),
            DT_RELASZ => tables.others_size = value,
            _ => {}
        });
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{elf, memory};

    #[test]
    fn the_slot_of_a_call_has_the_functions_address() {
        let getppid = libc::getppid as *const () as usize;
        let here =
            elf::object_at(the_slot_of_a_call_has_the_functions_address as *const () as usize)
                .expect("a test is in the program");
        let found = slot(&here, c"getppid").expect("the program takes it from the C library");
        assert_eq!(memory::read_word(found), Some(getppid));
        assert_eq!(slot(&here, c"no such function"), None);
    }

    #[test]
    fn a_call_goes_elsewhere_though_the_loader_has_protected_its_slot() {
        extern "C" fn seven() -> libc::pid_t {
            7
        }
        let here = elf::object_at(seven as *const () as usize).expect("a test is in the program");
        let found = slot(&here, c"getpgrp").expect("the program takes it from the C library");
        let real = memory::read_word(found).expect("it is mapped");
        let protected = !raw::write_word(found, real);
        // SAFETY: takes nothing.
        let group = || unsafe { libc::getpgrp() };
        let true_group = group();
        assert!(redirect(&here, c"getpgrp", seven as *const () as usize));
        assert_eq!(group(), 7);
        assert!(redirect(&here, c"getpgrp", real));
        assert_eq!(group(), true_group);
        assert_eq!(!raw::write_word(found, real), protected);
        assert!(
            protected,
            "linkers protect a program's slots; this proves less"
        );
    }
}
