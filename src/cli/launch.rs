//! A program started under the guard: its command line, its environment, what keeps the guard out,
//! and what is wrong where it cannot start.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::elf::Elf;
use crate::inherited;
use crate::preload;
use crate::program::{Hindrance, Program, find};
use crate::trouble::{NOT_EXECUTABLE, NOT_FOUND, Trouble, USAGE, reason};

/// The interpreter that started this command, if one did: `python -m forkguard`.
const PYTHON: &str = "FORKGUARD_PYTHON";
/// What is wrong with a program's name that is nothing.
pub const EMPTY: &str = "its name is an empty word; is it a variable that is not set?";

/// A command line as it is run: a Python file that no kernel would run has `python3` before it.
/// Where an interpreter started this command it has all Python files, `-m` and `-c`.
pub fn words(given: &[OsString]) -> Vec<OsString> {
    let mut words = given.to_vec();
    let path = Path::new(&given[0]);
    let is_python = path.extension() == Some("py".as_ref()) && path.is_file();
    let ours = env::var_os(PYTHON).filter(|python| !python.is_empty());
    let is_python = is_python || ours.is_some() && (given[0] == "-m" || given[0] == "-c");
    if is_python && (ours.is_some() || find(&given[0]).is_err()) {
        words.insert(0, ours.unwrap_or_else(|| "python3".into()));
    }
    words
}

/// The program of `words`, with the guard's library first in what is preloaded; where the guard is
/// preloaded into every program here, that one stays the only one.
pub fn guarded(words: &[OsString], library: &Path) -> Command {
    let words = self::words(words);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env_remove(PYTHON);
    if !is_everywhere() {
        let before = env::var_os(preload::VARIABLE);
        let value = preload::value(library, before.as_deref());
        command.env(preload::VARIABLE, value);
    }
    // Also what keeps it from being started by `posix_spawn`, which leaves a text that no `#!` begins
    // unstarted; `exec`, shells and `env` have it run by the shell.
    inherited::pass_on(&mut command);
    command
}

/// Leaves what is preloaded as it was.
pub fn unguarded(command: &mut Command) {
    match env::var_os(preload::VARIABLE) {
        Some(before) => command.env(preload::VARIABLE, before),
        None => command.env_remove(preload::VARIABLE),
    };
}

/// Whether a guard is preloaded into every program here.
fn is_everywhere() -> bool {
    preload::system_wide()
        .iter()
        .any(|path| preload::is_guard(path) && path.is_file())
}

/// What keeps the guard out of a program, where something does.
pub fn hindrance(program: &Program, library: &Path) -> Option<Hindrance> {
    let library = Elf::read(library).ok().flatten();
    program.hindrance(library.as_ref()).filter(|hindrance| {
        let by_environment = matches!(hindrance, Hindrance::OtherRights(_) | Hindrance::Cleared(_));
        !(by_environment && is_everywhere())
    })
}

/// What a sentence about the program begins with: the file, and the script that led to it.
pub fn name(program: &Program) -> String {
    let path = program.path.display();
    match program.scripts.first() {
        Some(script) => format!("{path}, which runs {},", script.display()),
        None => path.to_string(),
    }
}

/// Why the program could not be started.
pub fn not_started(program: &OsStr, error: &io::Error) -> Trouble {
    let code = match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_EXECUTABLE,
    };
    // The first word that is no option is the program's name, so that a mistyped option is one, too.
    if code == NOT_FOUND && program.as_bytes().starts_with(b"-") {
        let word = program.to_string_lossy();
        return Trouble::new(
            USAGE,
            format!("{word} is no option here, and no program; --help lists the options"),
        );
    }
    if program.is_empty() {
        return Trouble::new(code, format!("no program can be started: {EMPTY}"));
    }
    let why = why_not(&Program::of(&[program.to_owned()]), error);
    let program = program.to_string_lossy();
    Trouble::new(code, format!("{program} cannot be started: {why}"))
}

/// What is in the way of a program that is not started for this error.
pub fn why_not(program: &Program, error: &io::Error) -> String {
    match error.kind() {
        // The kernel says of a program that is there, too, that it is not: its interpreter is not.
        io::ErrorKind::NotFound => {
            if let Some(interpreter) = program.missing_interpreter() {
                return format!("its interpreter {} is not there", interpreter.display());
            }
        }
        // Of what a search in PATH came upon, the path is not known.
        io::ErrorKind::PermissionDenied if program.path.as_os_str().as_bytes().contains(&b'/') => {
            match fs::metadata(&program.path) {
                Ok(data) if data.is_dir() => return "it is a folder".to_owned(),
                Ok(data) if data.is_file() && data.permissions().mode() & 0o111 == 0 => {
                    return "it is not marked as executable (chmod +x)".to_owned();
                }
                _ => {}
            }
        }
        _ => {}
    }
    reason(error).into_owned()
}
