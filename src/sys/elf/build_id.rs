//! The build id of an object, read from the memory that it was loaded into, also where it may be
//! there no more: in a forked child, long after it was seen. Nothing faults, and what lies there is
//! believed where it is an object with the same dynamic section.

use libc::{Elf64_Ehdr, Elf64_Phdr};

use super::Object;
use crate::sys::memory;

/// Bytes of the longest build id that is kept; linkers write 8, 16 or 20.
pub const BUILD_ID: usize = 64;

/// The note's type, and its owner's name.
const NT_GNU_BUILD_ID: u32 = 3;

const GNU: [u8; 4] = *b"GNU\0";

/// Program headers that are looked at, and notes of one header: more is no object of a linker's.
const HEADERS: usize = 64;
const NOTES: usize = 32;

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

#[cfg(test)]
mod tests {
    use super::super::list::tests::objects;
    use super::super::prepare;
    use super::*;

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
}
