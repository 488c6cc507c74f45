//! Native frames by function, file and line: of the files that were mapped, if they are the ones
//! that ran, and of the debug information that is kept apart from them.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use addr2line::Loader;
use object::Object;
use object::read::{ReadCache, ReadRef};

use super::files::{self, Found};
use crate::event::{NativeFrame, plain};
use crate::time::Stamp;

/// Where debug information is installed apart from its files.
const DEBUG: &str = "/usr/lib/debug";
/// Functions inlined into one another that are told of one address.
const INLINED: usize = 16;
/// Files that are missing and told by name.
const NAMED: usize = 4;
/// Files kept open.
const FILES: usize = 64;

/// A function that an address lies in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Its name, as the language writes it.
    pub name: Option<String>,
    /// Its source file.
    pub file: Option<String>,
    /// The line in it; 0 where it is unknown.
    pub line: u32,
    /// Whether the compiler put it into the function that called it.
    pub inlined: bool,
}

/// What is known of the file that a module was, when it ran.
#[derive(Clone, Copy)]
pub struct Recorded<'a> {
    /// Its build id, where the event names the module and it has one.
    pub build_id: Option<&'a str>,
    /// When the event was.
    pub time: Option<Stamp>,
}

/// The files that were opened for their symbols.
#[derive(Default)]
pub struct Symbols {
    root: Option<PathBuf>,
    files: HashMap<(String, Option<String>), Option<Module>>,
    notes: BTreeSet<String>,
    missing: BTreeSet<String>,
}

struct Module {
    file: Loader,
    debug: Option<Loader>,
}

impl Symbols {
    /// Symbols of files that are looked for below `root`.
    pub fn new(root: Option<PathBuf>) -> Self {
        Self {
            root,
            ..Self::default()
        }
    }

    /// What the user should know of the files that were looked at since the last time this was
    /// asked.
    pub fn notes(&mut self) -> Vec<String> {
        let mut notes: Vec<String> = std::mem::take(&mut self.notes).into_iter().collect();
        let missing: Vec<String> = std::mem::take(&mut self.missing).into_iter().collect();
        if !missing.is_empty() {
            let more = missing.len().saturating_sub(NAMED);
            let mut named = missing[..missing.len() - more].join(", ");
            if more > 0 {
                let _ = write!(named, " and {more} more");
            }
            notes.push(format!(
                "not here: {named}; of these no more is told than the event has (--root DIR names \
                 the folder that holds the file system they lie in)"
            ));
        }
        notes
    }

    /// The functions that a frame lies in, the innermost of those inlined into one another last;
    /// none where the file does not tell.
    pub fn functions(&mut self, frame: &NativeFrame, recorded: Recorded<'_>) -> Vec<Function> {
        let Some(path) = frame.module.as_deref() else {
            return Vec::new();
        };
        // The call is the instruction before the return address.
        let Some(address) = frame.offset.checked_sub(1) else {
            return Vec::new();
        };
        if self.files.len() >= FILES {
            self.files.clear();
        }
        let key = (path.to_owned(), recorded.build_id.map(str::to_owned));
        if !self.files.contains_key(&key) {
            let module = self.open(path, recorded);
            self.files.insert(key.clone(), module);
        }
        match self.files.get(&key) {
            Some(Some(module)) => module.functions(address),
            _ => Vec::new(),
        }
    }

    fn open(&mut self, path: &str, recorded: Recorded<'_>) -> Option<Module> {
        // The kernel's own piece of every process has no file.
        if path.starts_with("linux-vdso") || path.starts_with('[') {
            return None;
        }
        let name = plain(path.rsplit('/').next().unwrap_or(path));
        let Some(found) = files::open(path, self.root.as_deref()) else {
            self.missing.insert(name);
            return None;
        };
        let about = About::of(&found)?;
        match (recorded.build_id, about.build_id.as_deref()) {
            (Some(ran), Some(here)) if ran.eq_ignore_ascii_case(here) => {}
            (Some(ran), here) => {
                self.notes.insert(format!(
                    "{name} is another build than the one that ran (that had build id {}, {} has \
                     {}): its symbols are left out",
                    short(ran),
                    plain(&found.path.to_string_lossy()),
                    here.map_or("none".into(), short),
                ));
                return None;
            }
            (None, _) => {
                if let (Some(changed), Some(time)) = (found.changed, recorded.time)
                    && changed > time
                {
                    self.notes.insert(format!(
                        "{name} was changed after the event, and has no build id in it to tell \
                         whether it is the one that ran: its symbols are left out"
                    ));
                    return None;
                }
            }
        }
        let debug = about.debug(&found.path);
        Some(Module {
            file: Loader::new(&found.path).ok()?,
            debug,
        })
    }
}

impl Module {
    fn functions(&self, address: u64) -> Vec<Function> {
        let with_debug = self.debug.iter().chain([&self.file]);
        for loader in with_debug {
            let functions = of_loader(loader, address);
            if functions.iter().any(|function| function.name.is_some()) {
                return functions;
            }
        }
        Vec::new()
    }
}

fn of_loader(loader: &Loader, address: u64) -> Vec<Function> {
    let mut functions = Vec::new();
    if let Ok(mut frames) = loader.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            if functions.len() == INLINED {
                break;
            }
            let name = frame.function.as_ref().and_then(|function| {
                let name = function.demangle().ok()?;
                Some(plain(&name))
            });
            let place = frame.location;
            functions.push(Function {
                name,
                file: place
                    .as_ref()
                    .and_then(|place| place.file)
                    .map(str::to_owned),
                line: place.as_ref().and_then(|place| place.line).unwrap_or(0),
                inlined: true,
            });
        }
    }
    let symbol = || {
        let name = loader.find_symbol(address)?;
        Some(plain(&addr2line::demangle_auto(name.into(), None)))
    };
    match functions.last_mut() {
        // The outermost is the function itself. What debug information has no function for may
        // still have a line, and a symbol.
        Some(outermost) => {
            outermost.inlined = false;
            if outermost.name.is_none() {
                outermost.name = symbol();
            }
        }
        None => functions.extend(symbol().map(|name| Function {
            name: Some(name),
            ..Function::default()
        })),
    }
    functions.reverse();
    functions
}

/// What an ELF file says of itself and of its debug information.
struct About {
    build_id: Option<String>,
    /// The file name that its debug information has, and that file's checksum.
    link: Option<(PathBuf, u32)>,
    /// The file that several files' debug information shares.
    shared: Option<PathBuf>,
    has_debug: bool,
}

impl About {
    fn of(found: &Found) -> Option<Self> {
        // Read in pieces as they are needed: a library may have gigabytes.
        let cache = ReadCache::new(&found.file);
        let file = object::File::parse(&cache).ok()?;
        Some(Self::of_object(&file))
    }

    fn of_object<'a, R: ReadRef<'a>>(file: &object::File<'a, R>) -> Self {
        use std::os::unix::ffi::OsStrExt;
        let path = |name: &[u8]| PathBuf::from(std::ffi::OsStr::from_bytes(name));
        Self {
            build_id: file.build_id().ok().flatten().map(hex),
            link: file
                .gnu_debuglink()
                .ok()
                .flatten()
                .map(|(name, sum)| (path(name), sum)),
            shared: file
                .gnu_debugaltlink()
                .ok()
                .flatten()
                .map(|(name, _)| path(name)),
            has_debug: file.section_by_name(".debug_info").is_some(),
        }
    }

    /// The debug information of this file at `path` that is kept apart from it.
    fn debug(&self, path: &Path) -> Option<Loader> {
        if self.has_debug {
            return None;
        }
        let by_id = self
            .build_id
            .as_deref()
            .filter(|id| id.len() > 2 && id.is_ascii())
            .map(|id| {
                let (folder, file) = id.split_at(2);
                PathBuf::from(format!("{DEBUG}/.build-id/{folder}/{file}.debug"))
            });
        let folder = path.parent().unwrap_or(Path::new("/"));
        let by_name = self.link.iter().flat_map(|(name, _)| {
            let below = Path::new(DEBUG).join(folder.strip_prefix("/").unwrap_or(folder));
            [
                folder.join(name),
                folder.join(".debug").join(name),
                below.join(name),
            ]
        });
        by_id
            .into_iter()
            .chain(by_name)
            .filter(|candidate| candidate != path)
            .find_map(|candidate| self.loaded(&candidate))
    }

    fn loaded(&self, candidate: &Path) -> Option<Loader> {
        let found = files::open(candidate.to_str()?, None)?;
        let about = Self::of(&found)?;
        // The same build, by its id, or by the checksum where there is none.
        let same = match (&self.build_id, &about.build_id) {
            (Some(mine), Some(its)) => mine == its,
            (None, None) => self.link.as_ref().is_some_and(|(_, sum)| {
                std::fs::read(&found.path).is_ok_and(|bytes| crc32(&bytes) == *sum)
            }),
            _ => false,
        };
        if !same {
            return None;
        }
        let shared = about.shared.map(|shared| {
            // Its path is relative to the file that names it.
            found.path.parent().unwrap_or(Path::new("/")).join(shared)
        });
        let with_shared = shared
            .filter(|shared| shared.is_file())
            .and_then(|shared| Loader::new_with_sup(&found.path, Some(shared)).ok());
        with_shared.or_else(|| Loader::new(&found.path).ok())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The beginning of a build id, as people compare them.
fn short(id: &str) -> String {
    plain(id).chars().take(12).collect()
}

/// The checksum of `.gnu_debuglink`, which is that of Ethernet and zip.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn files_that_are_no_modules_have_no_symbols() {
        let mut symbols = Symbols::new(None);
        for module in [
            "/dev/zero",
            "/etc/passwd",
            "/",
            "",
            "a\0b",
            "linux-vdso.so.1",
            "[heap]",
        ] {
            let frame = NativeFrame {
                module: Some(module.into()),
                offset: u64::MAX,
                symbol: None,
            };
            let recorded = Recorded {
                build_id: None,
                time: None,
            };
            assert_eq!(symbols.functions(&frame, recorded), []);
        }
    }

    /// A program with debug information in which some bytes are others: the answer may be wrong,
    /// and there is one.
    #[test]
    fn mangled_files_do_no_harm() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mangled");
        let real = std::fs::read(forkguard_testkit::client("roads")).expect("the client");
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        for round in 0..150 {
            let mut mangled = real.clone();
            // Now and then only in the headers, where everything else is found.
            let within = if round % 3 == 0 { 1024 } else { real.len() };
            for _ in 0..=random(64) {
                mangled[random(within)] = random(256) as u8;
            }
            if round % 10 == 0 {
                mangled.truncate(random(real.len()));
            }
            std::fs::write(&path, mangled).expect("the file can be written");
            let mut symbols = Symbols::new(None);
            for offset in [1, 0x2c87, 0x3b7f, 0x4e4a, 0x53ce, u64::MAX] {
                let frame = NativeFrame {
                    module: path.to_str().map(str::to_owned),
                    offset,
                    symbol: None,
                };
                let recorded = Recorded {
                    build_id: None,
                    time: Some(Stamp(i64::MAX)),
                };
                symbols.functions(&frame, recorded);
            }
        }
    }

    #[test]
    fn this_very_test_is_found_with_its_line() {
        let here = this_very_test_is_found_with_its_line as fn();
        let exe = std::env::current_exe().expect("the test has a path");
        let maps = std::fs::read_to_string("/proc/self/maps").expect("it has maps");
        // The first mapping of the file is where its address 0 is.
        let base = maps
            .lines()
            .find(|line| line.ends_with(exe.to_str().expect("text")))
            .and_then(|line| u64::from_str_radix(line.split('-').next()?, 16).ok())
            .expect("the test is mapped");
        let frame = NativeFrame {
            module: exe.to_str().map(str::to_owned),
            offset: here as usize as u64 - base + 5,
            symbol: None,
        };
        let recorded = Recorded {
            build_id: None,
            time: Some(Stamp(i64::MAX)),
        };
        let mut symbols = Symbols::new(None);
        let found = symbols.functions(&frame, recorded);
        let function = found.first().expect("the test's own function");
        let file = function.file.as_deref().unwrap_or_default();
        assert!(file.ends_with("explain/symbols.rs"), "{function:?}");
        assert!(
            function
                .name
                .as_deref()
                .is_some_and(|name| name.contains("this_very_test")),
            "{function:?}"
        );
        assert!(function.line > 0 && symbols.notes().is_empty());
    }
}
