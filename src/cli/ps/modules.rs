//! What lies where in a process's memory, by its maps: names for the addresses of a record.

use super::proc;

/// Programs that are loaded where they say, and not where there is room, lie below this.
const LOADED_AS_LINKED: u64 = 0x1000_0000;
/// Modules whose frames say nothing about a program.
const NOISE: [&str; 5] = [
    "libforkguard",
    "libcuda.so",
    "libnvcuvid.so",
    "libc.so",
    "ld-linux",
];

/// The files that are mapped in a process.
pub struct Modules(Vec<Module>);

struct Module {
    start: u64,
    end: u64,
    path: String,
}

impl Modules {
    /// Of this process; none where it may not be known. It may never answer.
    pub fn of(pid: i32) -> Self {
        let maps = proc::read(pid, "maps").unwrap_or_default();
        Self::read(&String::from_utf8_lossy(&maps))
    }

    /// Pieces of one file are one module.
    pub(super) fn read(maps: &str) -> Self {
        let mut modules: Vec<Module> = Vec::new();
        for (start, end, path) in maps.lines().filter_map(piece) {
            match modules.last_mut() {
                Some(last) if last.path == path => last.end = end,
                _ => modules.push(Module {
                    start,
                    end,
                    path: path.to_owned(),
                }),
            }
        }
        Self(modules)
    }

    fn module(&self, return_address: u64) -> Option<&Module> {
        // The instruction before it: it may be the last of its function.
        let address = return_address.checked_sub(1)?;
        let mut all = self.0.iter();
        all.find(|module| (module.start..module.end).contains(&address))
    }

    /// The file name of the library, or the program, to which the address belongs.
    pub fn library(&self, return_address: u64) -> Option<&str> {
        self.module(return_address).map(|module| {
            // Reports have the name that it is loaded by, which leads to a file of a longer one.
            let name = module.name();
            let version = name.find(".so.").map_or(name.len(), |at| at + 4);
            let more = name[version..].find('.');
            more.map_or(name, |more| &name[..version + more])
        })
    }

    /// The program's innermost frame, else a library's: `train+0x11a9`, as addr2line counts.
    pub fn place(&self, frames: &[u64]) -> Option<String> {
        let frames = frames.iter().take_while(|&&address| address != 0);
        let known: Vec<(u64, &Module)> = frames
            .filter_map(|&address| Some((address, self.module(address)?)))
            .filter(|(_, module)| !NOISE.iter().any(|noise| module.name().starts_with(noise)))
            .collect();
        let own = known
            .iter()
            .find(|(_, module)| !module.name().contains(".so"));
        let (address, module) = own.or_else(|| known.first())?;
        let base = if module.start < LOADED_AS_LINKED {
            0
        } else {
            module.start
        };
        Some(format!("{}+{:#x}", module.name(), address - base))
    }
}

impl Module {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// `55d0-55d1 r--p 00000000 08:01 123   /srv/app/train`, where a file is mapped.
fn piece(line: &str) -> Option<(u64, u64, &str)> {
    let path = &line[line.find('/')?..];
    let (start, rest) = line.split_once('-')?;
    let (end, _) = rest.split_once(' ')?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    Some((hex(start)?, hex(end)?, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
00400000-00401000 r--p 00000000 08:01 12 /srv/old
00401000-00402000 r-xp 00001000 08:01 12 /srv/old
550000000000-550000001000 r--p 00000000 08:01 11 /srv/my app/train
550000001000-550000002000 r-xp 00001000 08:01 11 /srv/my app/train
550000003000-550000004000 rw-p 00000000 00:00 0
7f0000000000-7f0000001000 r-xp 00000000 08:01 13 /usr/lib/libcudart.so.13.0.88
7f0000001000-7f0000002000 r-xp 00000000 08:01 14 /usr/lib/libc.so.6
";

    #[test]
    fn addresses_are_named() {
        let modules = Modules::read(MAPS);
        assert_eq!(modules.library(0x7f00_0000_0010), Some("libcudart.so.13"));
        assert_eq!(modules.library(0x7f00_0000_1000), Some("libcudart.so.13"));
        assert_eq!(modules.library(0x5500_0000_3010), None);
        assert_eq!(modules.library(0), None);
        let place = |frames: &[u64]| modules.place(frames);
        assert_eq!(
            place(&[
                0x7f00_0000_1010,
                0x7f00_0000_0010,
                0x5500_0000_1234,
                0x40_1010
            ]),
            Some("train+0x1234".to_owned())
        );
        assert_eq!(place(&[0x40_1010]), Some("old+0x401010".to_owned()));
        assert_eq!(
            place(&[0x7f00_0000_1010, 0x7f00_0000_0010, 0, 0x40_1010]),
            Some("libcudart.so.13.0.88+0x10".to_owned())
        );
        assert_eq!(place(&[u64::MAX, 1, 0]), None);
    }
}
