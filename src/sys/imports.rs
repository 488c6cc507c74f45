//! The slots through which an object's calls of a function go, which the loader fills.
//!
//! Only of objects that stay loaded, and found anew in each process that asks.

use core::ffi::CStr;

use super::elf::Object;

/// `Elf64_Rela` (`elf.h`).
#[repr(C)]
struct Relocation {
    place: u64,
    info: u64,
    addend: i64,
}

const DT_NULL: i64 = 0;
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
    let symbol = object.symbol_index(name)? as u64;
    let wanted = KINDS.map(|kind| symbol << 32 | kind);
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
            wanted
                .contains(&entry.info)
                .then(|| object.base.wrapping_add(entry.place as usize))
        })
    })
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
        let mut entry = object.dynamic as *const [u64; 2];
        if entry.is_null() {
            return tables;
        }
        loop {
            // SAFETY: the dynamic section of a loaded object is mapped and ends with DT_NULL.
            let [tag, value] = unsafe { *entry };
            let value = value as usize;
            // glibc stores these as addresses.
            let address = if value < object.base {
                value.wrapping_add(object.base)
            } else {
                value
            };
            match tag as i64 {
                DT_NULL => return tables,
                DT_JMPREL => tables.calls = address,
                DT_PLTRELSZ => tables.calls_size = value,
                DT_RELA => tables.others = address,
                DT_RELASZ => tables.others_size = value,
                _ => {}
            }
            // SAFETY: not yet at DT_NULL, so another entry follows.
            entry = unsafe { entry.add(1) };
        }
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
}
