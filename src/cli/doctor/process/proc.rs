//! What `/proc` has of a process, as far as this user may read it. The process may end at any time.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Set in `flags` of a thread of the kernel's (`PF_KTHREAD`).
const KERNEL_THREAD: u64 = 0x0020_0000;
/// In the auxiliary vector: whether the program was started with other rights than its caller's.
const AT_SECURE: u64 = 23;
/// How long a file of it is waited for: what tells of its memory is not given while the kernel
/// changes that, which it may do for ever in a process that is stuck.
const PATIENCE: Duration = Duration::from_secs(2);

/// A process by its number.
#[derive(Clone, Copy)]
pub struct Process(pub i32);

/// What its `stat` line says.
pub struct Stat {
    pub state: char,
    pub parent: i32,
    pub is_kernels: bool,
    /// In clock ticks since the machine was started.
    pub started: u64,
}

/// One file that is mapped, or was.
pub struct Mapped {
    pub path: PathBuf,
    /// Whether it is no longer there by that path.
    pub deleted: bool,
}

impl Process {
    pub fn file(self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.0.to_string()).join(name)
    }

    /// What a file of it holds.
    pub fn read(self, name: &str) -> io::Result<Vec<u8>> {
        let path = self.file(name);
        let (give, take) = mpsc::channel();
        thread::spawn(move || give.send(fs::read(path)));
        take.recv_timeout(PATIENCE)
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    pub fn stat(self) -> io::Result<Stat> {
        let text = self.read("stat")?;
        let malformed = || io::Error::from(io::ErrorKind::InvalidData);
        // The name may hold anything: the fields begin behind its last parenthesis.
        let end = text
            .iter()
            .rposition(|&byte| byte == b')')
            .ok_or_else(malformed)?;
        let rest = String::from_utf8_lossy(&text[end + 1..]).into_owned();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        Ok(Stat {
            state: fields
                .first()
                .and_then(|field| field.chars().next())
                .ok_or_else(malformed)?,
            parent: number(1)
                .and_then(|pid| i32::try_from(pid).ok())
                .unwrap_or(0),
            is_kernels: number(6).ok_or_else(malformed)? & KERNEL_THREAD != 0,
            started: number(19).ok_or_else(malformed)?,
        })
    }

    /// A line of its `status`.
    pub fn status(self, name: &str) -> Option<String> {
        let text = self.read("status").ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut lines = text.lines();
        lines.find_map(|line| {
            Some(
                line.strip_prefix(name)?
                    .strip_prefix(':')?
                    .trim()
                    .to_owned(),
            )
        })
    }

    /// Its command's name.
    pub fn name(self) -> String {
        let text = self.read("comm").unwrap_or_default();
        String::from_utf8_lossy(&text).trim_end().to_owned()
    }

    pub fn executable(self) -> io::Result<PathBuf> {
        fs::read_link(self.file("exe"))
    }

    /// The environment that it was started with.
    pub fn environment(self) -> io::Result<Vec<(OsString, OsString)>> {
        let text = self.read("environ")?;
        let entries = text.split(|&byte| byte == 0).filter_map(|entry| {
            let equals = entry.iter().position(|&byte| byte == b'=')?;
            let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            Some((text(&entry[..equals]), text(&entry[equals + 1..])))
        });
        Ok(entries.collect())
    }

    /// The files that it has mapped, each once.
    pub fn mapped(self) -> io::Result<Vec<Mapped>> {
        let text = self.read("maps")?;
        let mut found: Vec<Mapped> = Vec::new();
        for line in text.split(|&byte| byte == b'\n') {
            let Some(at) = line.iter().position(|&byte| byte == b'/') else {
                continue;
            };
            let (path, deleted) = match line[at..].strip_suffix(b" (deleted)") {
                Some(path) => (path, true),
                None => (&line[at..], false),
            };
            let path = Path::new(OsStr::from_bytes(path));
            if found.iter().any(|mapped| mapped.path == path) {
                continue;
            }
            found.push(Mapped {
                path: path.to_owned(),
                deleted,
            });
        }
        Ok(found)
    }

    /// Whether the loader ignored the environment in it.
    pub fn is_secure(self) -> bool {
        let words = self.read("auxv").unwrap_or_default();
        let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap_or_default());
        words
            .chunks_exact(16)
            .any(|pair| word(&pair[..8]) == AT_SECURE && word(&pair[8..]) != 0)
    }

    /// A path as this process would have to name it: of another mount namespace, through its root.
    pub fn seen_from_here(self, path: &Path) -> PathBuf {
        let inside = path.strip_prefix("/").unwrap_or(path);
        self.file("root").join(inside)
    }

    /// Whether it sees the same file systems as this process.
    pub fn has_our_mounts(self) -> bool {
        let ours = fs::read_link("/proc/self/ns/mnt").ok();
        ours.is_some() && fs::read_link(self.file("ns/mnt")).ok() == ours
    }

    /// Its children.
    pub fn children(self) -> Vec<Self> {
        let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
        folders
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Self))
            .filter(|process| process.stat().is_ok_and(|stat| stat.parent == self.0))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Process {
        Process(i32::try_from(std::process::id()).unwrap())
    }

    #[test]
    fn of_this_process() {
        let stat = own().stat().unwrap();
        // SAFETY: takes nothing and cannot fail.
        assert_eq!(stat.parent, unsafe { libc::getppid() });
        assert!(!stat.is_kernels);
        let mapped = own().mapped().unwrap();
        let executable = own().executable().unwrap();
        assert!(mapped.iter().any(|mapped| mapped.path == executable));
        assert!(own().has_our_mounts());
        assert!(!own().is_secure());
        assert_eq!(own().status("Pid").unwrap(), own().0.to_string());
    }
}
