//! Which build of an object is loaded, by the build id that the linker wrote into it.
//!
//! Looked at anew for each walk, for what lies at an address may be another object since. So only
//! the object's first page is looked at, which is there and readable as long as the object is.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::sys::elf::Code;

const PAGE: usize = 4096;
/// In the header of the file: where the program headers are, and how many.
const HEADERS_AT: usize = 32;
const HEADER_COUNT: usize = 56;
const HEADER: usize = 56;
/// In a program header: its type, its address, and its size.
const ADDRESS: usize = 16;
const SIZE: usize = 40;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
/// The type of a note with a build id, and the bytes before the id: sizes, type, and this name.
const NT_GNU_BUILD_ID: u32 = 3;
const NAME: &[u8] = b"GNU\0";
const NOTE_HEAD: usize = 16;

/// What tells a build from all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Build(pub u64);

/// The build of an object that is loaded; `None` where nothing tells it.
pub fn of(code: &Code) -> Option<Build> {
    if code.end - code.start < PAGE {
        return None;
    }
    // SAFETY: the first page of an object that holds code of the calling thread's stack, and so
    // stays loaded; the loader maps it readable, and nobody writes it.
    let page = unsafe { core::slice::from_raw_parts(code.start as *const u8, PAGE) };
    // What is changed after it was linked keeps its id, but seldom its size.
    let size = (code.end - code.start) as u64;
    let id = id(page, code.start)?;
    let hash = id.iter().fold(size.rotate_left(40), |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Some(Build(hash))
}

/// Where ids were found last, by the object's address: to be looked at first.
static FOUND: [AtomicU32; 64] = [const { AtomicU32::new(0) }; 64];

fn id(page: &[u8], start: usize) -> Option<&[u8]> {
    let found = &FOUND[start / PAGE % FOUND.len()];
    if let Some(id) = id_of_note(page, found.load(Ordering::Relaxed) as usize) {
        return Some(id);
    }
    let at = find(page)?;
    found.store(at as u32, Ordering::Relaxed);
    id_of_note(page, at)
}

/// The id of a note that is one.
fn id_of_note(page: &[u8], at: usize) -> Option<&[u8]> {
    let note = page.get(at..)?;
    let size = u32_at(note, 4)? as usize;
    let is_one = u32_at(note, 0)? as usize == NAME.len()
        && u32_at(note, 8)? == NT_GNU_BUILD_ID
        && note.get(12..NOTE_HEAD)? == NAME
        && (1..=64).contains(&size);
    let id = note.get(NOTE_HEAD..NOTE_HEAD + size)?;
    is_one.then_some(id)
}

/// Where the note is, by the program headers.
fn find(page: &[u8]) -> Option<usize> {
    if !page.starts_with(b"\x7fELF") {
        return None;
    }
    let headers = u64_at(page, HEADERS_AT)? as usize;
    let count = usize::from(u16::from_ne_bytes(
        page.get(HEADER_COUNT..HEADER_COUNT + 2)?.try_into().ok()?,
    ));
    let header = |index: usize| page.get(headers.checked_add(index * HEADER)?..);
    let first = (0..count)
        .filter_map(header)
        .find(|header| u32_at(header, 0) == Some(PT_LOAD))?;
    let first = u64_at(first, ADDRESS)? as usize & !(PAGE - 1);
    let mut notes = (0..count)
        .filter_map(header)
        .filter(|header| u32_at(header, 0) == Some(PT_NOTE));
    notes.find_map(|header| {
        let begin = (u64_at(header, ADDRESS)? as usize).checked_sub(first)?;
        let end = begin.checked_add(u64_at(header, SIZE)? as usize)?;
        let mut at = begin;
        while at < end {
            if id_of_note(page, at).is_some() {
                return Some(at);
            }
            let note = page.get(at..)?;
            let (name, size) = (u32_at(note, 0)? as usize, u32_at(note, 4)? as usize);
            // Ids stand among notes of this alignment.
            at += 12 + name.next_multiple_of(4) + size.next_multiple_of(4);
        }
        None
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::elf;

    #[test]
    fn objects_have_builds_of_their_own() {
        elf::prepare();
        let here = elf::code_at(objects_have_builds_of_their_own as *const () as usize);
        let libc = elf::code_at(libc::qsort as *const () as usize);
        let builds = [here, libc].map(|code| of(&code.expect("loaded")));
        assert!(builds.iter().all(Option::is_some), "{builds:?}");
        assert_ne!(builds[0], builds[1]);
        // The second time by where it was found.
        assert_eq!(of(&libc.expect("loaded")), builds[1]);
    }

    #[test]
    fn what_is_no_object_has_none() {
        let mut page = [0; PAGE];
        assert_eq!(find(&page), None);
        page[..4].copy_from_slice(b"\x7fELF");
        page[HEADERS_AT] = 64;
        page[HEADER_COUNT] = 255;
        page[64..].fill(0xff);
        assert_eq!(find(&page), None);
        // A note that says it is endless.
        page[64..64 + 4].copy_from_slice(&PT_NOTE.to_ne_bytes());
        page[64 + HEADER..64 + HEADER + 4].copy_from_slice(&PT_LOAD.to_ne_bytes());
        assert_eq!(find(&page), None);
    }
}
