//! A program started under the guard: its environment, and what is wrong where it cannot start.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use crate::trouble::{NOT_EXECUTABLE, NOT_FOUND, Trouble, reason};

/// What the loader preloads, separated by spaces or colons.
const PRELOAD: &str = "LD_PRELOAD";

/// The Python that started this command (`python -m forkguard`), for programs that are its scripts.
const PYTHON: &str = "FORKGUARD_PYTHON";

/// The program of `words`, with the guard's library first in what is preloaded.
pub fn guarded(words: &[OsString], library: &Path) -> Command {
    let python = std::env::var_os(PYTHON).filter(|_| is_for_python(&words[0]));
    let mut command = Command::new(python.as_ref().unwrap_or(&words[0]));
    command.args(&words[usize::from(python.is_none())..]);
    command.env_remove(PYTHON);
    command.env(
        PRELOAD,
        preload(library, std::env::var_os(PRELOAD).as_deref()),
    );
    command
}

/// Whether a command line that begins with `word` is one of an interpreter's: a script, or `-m`.
fn is_for_python(word: &OsStr) -> bool {
    word == "-m" || word == "-c" || is_script(word)
}

fn is_script(word: &OsStr) -> bool {
    let path = Path::new(word);
    path.extension() == Some(OsStr::new("py")) && path.is_file()
}

/// `LD_PRELOAD` with the library at its head and whatever it already holds behind, once.
fn preload(library: &Path, before: Option<&OsStr>) -> OsString {
    let mut all = library.as_os_str().to_owned();
    let before = before.unwrap_or_default().as_bytes();
    for path in before.split(|&byte| byte == b':' || byte == b' ') {
        if !path.is_empty() && path != library.as_os_str().as_bytes() {
            all.push(":");
            all.push(OsStr::from_bytes(path));
        }
    }
    all
}

/// Why the program could not be started.
pub fn not_started(program: &OsStr, error: &io::Error) -> Trouble {
    let code = match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_EXECUTABLE,
    };
    let name = program.to_string_lossy();
    let hint = if is_script(program) {
        format!("; it is a script: python {name}")
    } else {
        String::new()
    };
    Trouble::new(
        code,
        format!("{name} cannot be started: {}{hint}", reason(error)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_preloaded_before_stays_and_the_guard_is_there_once() {
        let library = Path::new("/l/libforkguard.so");
        for (before, expected) in [
            (None, "/l/libforkguard.so"),
            (Some(""), "/l/libforkguard.so"),
            (Some("a.so b.so"), "/l/libforkguard.so:a.so:b.so"),
            (Some("a.so:/l/libforkguard.so"), "/l/libforkguard.so:a.so"),
        ] {
            assert_eq!(preload(library, before.map(OsStr::new)), expected);
        }
    }
}
