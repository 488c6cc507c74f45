//! An ELF file, as far as it says for which machine it is, by which loader, and with what it is
//! linked.
//!
//! The file may be anything: what does not fit together is no ELF file, never a fault.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef};
use object::{Endianness, FileKind, elf};

/// Bytes of the longest note that is a build id.
const BUILD_ID: usize = 64;

/// What is known of an ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    /// What it has to agree in with whatever is loaded into it.
    pub machine: Machine,
    /// The loader that it asks for. A library asks for none, nor does a static program.
    pub loader: Option<PathBuf>,
    /// The libraries that it is linked with.
    pub needed: Vec<String>,
    /// What its linker called this very build.
    pub build_id: Option<Vec<u8>>,
}

impl Elf {
    /// Reads the file's own words about itself; `Ok(None)` where it is no ELF file.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        // A pipe, or a terminal, in its place must not hold this up.
        let file = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Ok(None);
        }
        let cache = ReadCache::new(file);
        Ok(parse(&cache))
    }
}

/// The same of a file's bytes, in memory or not.
pub fn parse<'a>(data: impl ReadRef<'a>) -> Option<Elf> {
    match FileKind::parse(data) {
        Ok(FileKind::Elf64) => of::<elf::FileHeader64<Endianness>, _>(data),
        Ok(FileKind::Elf32) => of::<elf::FileHeader32<Endianness>, _>(data),
        _ => None,
    }
}

fn of<'a, H: FileHeader<Endian = Endianness>, R: ReadRef<'a>>(data: R) -> Option<Elf> {
    let header = H::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, data).ok()?;
    let mut found = Elf {
        machine: Machine {
            number: header.e_machine(endian).0,
            is_64: header.is_type_64(),
            is_little: endian == Endianness::Little,
        },
        loader: None,
        needed: Vec::new(),
        build_id: None,
    };
    // Where in the file that is which will lie at an address.
    let offset = |address: u64| {
        segments.iter().find_map(|segment| {
            let start = segment.p_vaddr(endian).into();
            let inside = segment.p_type(endian) == elf::PT_LOAD
                && address >= start
                && address - start < segment.p_filesz(endian).into();
            inside
                .then(|| (address - start).checked_add(segment.p_offset(endian).into()))
                .flatten()
        })
    };
    for segment in segments {
        if let Ok(Some(path)) = segment.interpreter(endian, data) {
            found.loader = Some(PathBuf::from(OsStr::from_bytes(path)));
        }
        if let Ok(Some(entries)) = segment.dynamic(endian, data) {
            let entries = || {
                let value = |entry: &H::Dyn| (entry.d_tag(endian), entry.d_val(endian).into());
                let end = |&(tag, _): &(elf::DynamicTag, u64)| tag != elf::DT_NULL;
                entries.iter().map(value).take_while(end)
            };
            let strings = entries().find(|&(tag, _)| tag == elf::DT_STRTAB);
            let strings = strings.and_then(|(_, address)| offset(address));
            found.needed = entries()
                .filter(|&(tag, _)| tag == elf::DT_NEEDED)
                .filter_map(|(_, at)| {
                    let at = strings?.checked_add(at)?;
                    let name = data
                        .read_bytes_at_until(at..at.checked_add(4096)?, 0)
                        .ok()?;
                    Some(String::from_utf8_lossy(name).into_owned())
                })
                .collect();
        }
        if let Ok(Some(mut notes)) = segment.notes(endian, data) {
            while let Ok(Some(note)) = notes.next() {
                if note.n_type(endian) == elf::NT_GNU_BUILD_ID
                    && note.name() == elf::ELF_NOTE_GNU
                    && note.desc().len() <= BUILD_ID
                {
                    found.build_id = Some(note.desc().to_vec());
                }
            }
        }
    }
    Some(found)
}

/// Processor, word size and byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    number: u16,
    is_64: bool,
    is_little: bool,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.is_64 { 64 } else { 32 };
        let name = match (elf::Machine(self.number), self.is_64) {
            (elf::EM_X86_64, true) => "x86-64",
            (elf::EM_X86_64, false) => "x32",
            (elf::EM_386, _) => "32-bit x86",
            (elf::EM_AARCH64, true) => "AArch64",
            (elf::EM_ARM, _) => "32-bit Arm",
            (elf::EM_RISCV, true) => "64-bit RISC-V",
            (elf::EM_PPC64, _) => "64-bit PowerPC",
            (elf::EM_S390, true) => "s390x",
            (elf::EM_LOONGARCH, true) => "64-bit LoongArch",
            _ => return write!(f, "{bits}-bit machine number {}", self.number),
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_what_it_is() {
        let own = Elf::read(Path::new("/proc/self/exe")).unwrap().unwrap();
        let loader = own.loader.unwrap();
        assert!(loader.is_absolute(), "{}", loader.display());
        assert!(own.needed.iter().any(|name| name == "libc.so.6"));
        assert!(own.machine.is_64);
    }

    #[test]
    fn what_is_no_whole_elf_file_is_none_or_a_part() {
        let whole = std::fs::read("/proc/self/exe").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut");
        for len in [0, 1, 4, 16, 63, 64, 100, 1000, 5000] {
            std::fs::write(&path, &whole[..len]).unwrap();
            let read = Elf::read(&path).unwrap();
            assert!(read.is_none_or(|elf| elf.needed.is_empty()), "{len}");
        }
        // Every byte of the beginning wrong, one at a time: never a fault.
        for at in 0..512 {
            let mut bytes = whole[..whole.len().min(65536)].to_vec();
            bytes[at] ^= 0xff;
            std::fs::write(&path, &bytes).unwrap();
            let _ = Elf::read(&path).unwrap();
        }
        assert_eq!(Elf::read(folder.path()).unwrap(), None);
    }
}
