//! What a command line comes to: the file that the kernel runs in the end, through `#!` lines,
//! `env` and `PATH`, and whether the guard's library gets into it.

#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hindrance;
mod words;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::elf::Elf;
pub use hindrance::Hindrance;

/// Bytes of a `#!` line that the kernel looks at.
const LINE: usize = 256;
/// Scripts whose interpreters are scripts: the kernel follows so many.
const DEPTH: usize = 6;

/// What a command line comes to.
pub struct Program {
    /// The file that is run; the first that could not be found, or looked at.
    pub path: PathBuf,
    /// What it is, where it is an ELF file that can be read.
    pub elf: Option<Elf>,
    /// The scripts that led to it, the first one first.
    pub scripts: Vec<PathBuf>,
    /// Why it is not known, or does not exist.
    pub trouble: Option<io::Error>,
    /// A word that takes the guard out of the environment on the way (`env -i`).
    pub cleared_by: Option<String>,
}

impl Program {
    /// The program of a command line, as `execvp` would find it.
    pub fn of(words: &[OsString]) -> Self {
        let mut found = Self {
            path: PathBuf::from(&words[0]),
            elf: None,
            scripts: Vec::new(),
            trouble: None,
            cleared_by: None,
        };
        if let Err(error) = found.follow(words.to_vec()) {
            found.trouble = Some(error);
        }
        found
    }

    fn follow(&mut self, mut words: Vec<OsString>) -> io::Result<()> {
        for _ in 0..DEPTH {
            self.path = PathBuf::from(&words[0]);
            self.path = find(&words[0])?;
            if self.path.file_name() == Some("env".as_ref())
                && let Some(inner) = words::after_env(&words[1..])
            {
                self.cleared_by = self.cleared_by.take().or(inner.cleared_by);
                if inner.has_path || inner.command.is_empty() {
                    // Found by a PATH of its own, or nothing is run.
                    self.elf = Elf::read(&self.path)?;
                    return Ok(());
                }
                words = inner.command;
                continue;
            }
            if let Some(elf) = Elf::read(&self.path)? {
                self.elf = Some(elf);
                return Ok(());
            }
            let Some(mut interpreter) = shebang(&self.path)? else {
                return Ok(());
            };
            self.scripts.push(self.path.clone());
            interpreter.push(self.path.clone().into_os_string());
            interpreter.extend(words.drain(..).skip(1));
            words = interpreter;
        }
        Err(io::Error::from_raw_os_error(libc::ELOOP))
    }

    /// The loader, or the interpreter of a script, that it asks for and that is not there.
    pub fn missing_interpreter(&self) -> Option<&Path> {
        let loader = self.elf.as_ref().and_then(|elf| elf.loader.as_deref());
        if self.trouble.is_some() && !self.scripts.is_empty() {
            return Some(&self.path);
        }
        loader.filter(|loader| !loader.exists())
    }

    /// What keeps the guard out of it, where something does; `library` is the guard's.
    pub fn hindrance(&self, library: Option<&Elf>) -> Option<Hindrance> {
        hindrance::of(self, library)
    }
}

/// The file that a word names: itself where it has a slash, else by `PATH`.
pub fn find(word: &OsStr) -> io::Result<PathBuf> {
    let runs = |data: &fs::Metadata| data.is_file() && data.permissions().mode() & 0o111 != 0;
    let refused = || io::Error::from_raw_os_error(libc::EACCES);
    if word.is_empty() {
        return Err(io::Error::from_raw_os_error(libc::ENOENT));
    }
    if word.as_bytes().contains(&b'/') {
        let data = fs::metadata(word)?;
        return if runs(&data) {
            Ok(word.into())
        } else {
            Err(refused())
        };
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let mut denied = None;
    for folder in env::split_paths(&path) {
        let candidate = folder.join(word);
        match fs::metadata(&candidate) {
            Ok(data) if runs(&data) => return Ok(candidate),
            Ok(_) => denied = Some(refused()),
            Err(_) => {}
        }
    }
    Err(denied.unwrap_or_else(|| io::Error::from_raw_os_error(libc::ENOENT)))
}

/// The words of the `#!` line of the script at `path`, as [`interpreter`] reads them.
fn shebang(path: &Path) -> io::Result<Option<Vec<OsString>>> {
    let mut file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    let mut begin = Vec::new();
    file.by_ref().take(LINE as u64).read_to_end(&mut begin)?;
    interpreter(&begin)
}

/// The words of the `#!` line with which a script begins: its interpreter, and what stands behind it
/// as one. A text without such a line is run by the shell. `None` where it is no text.
fn interpreter(begin: &[u8]) -> io::Result<Option<Vec<OsString>>> {
    let line = begin
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let Some(line) = line.strip_prefix(b"#!") else {
        let is_text = !begin.contains(&0);
        return Ok(is_text.then(|| vec!["/bin/sh".into()]));
    };
    let line = line.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace);
    let (interpreter, argument) = line.split_at(end.unwrap_or(line.len()));
    if interpreter.is_empty() {
        return Err(io::Error::from_raw_os_error(libc::ENOEXEC));
    }
    Ok(Some(
        [interpreter, argument.trim_ascii()]
            .into_iter()
            .filter(|word| !word.is_empty())
            .map(|word| OsString::from_vec(word.to_vec()))
            .collect(),
    ))
}
