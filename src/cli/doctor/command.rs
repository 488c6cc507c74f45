//! A program that does not run: what would become of it. Of the program itself nothing is run but
//! its loader, which lists what it would load.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::finding::Finding;
use super::{Findings, machine, preloads, python, settings};
use crate::inside;
use crate::launch;
use crate::preload;
use crate::program::Program;
use crate::trouble::reason;

const SUBJECT: &str = "program";
const PATIENCE: Duration = Duration::from_secs(20);

/// All there is to say of the program of `words`.
pub fn look(words: &[OsString], named: Option<&Path>) -> Findings {
    let (mut found, guard) = machine::guard(named);
    let words = launch::words(words);
    let program = Program::of(&words);
    found.push(of(&program, guard.as_ref().map(|guard| &*guard.library)));
    if let (Some(guard), None) = (&guard, &program.trouble)
        && launch::hindrance(&program, &guard.library).is_none()
    {
        found.extend(loader(&program, &guard.library));
    }
    if python::is_interpreter(&program.path) && program.trouble.is_none() {
        let asks_exec = guard.as_ref().is_some_and(|guard| guard.may("exec"));
        found.push(python::interpreter(&program.path, asks_exec));
    }
    found.extend(settings::look(guard.as_ref()));
    found.extend(preloads::of_environment(guard.as_ref()));
    found
}

/// The file that is run in the end, and whether the guard gets into it.
fn of(program: &Program, library: Option<&Path>) -> Finding {
    let path = program.path.display();
    if program.path.as_os_str().is_empty() {
        return Finding::problem(SUBJECT, launch::EMPTY, "name a program behind --");
    }
    if let Some(error) = &program.trouble {
        let asked = program.scripts.last().unwrap_or(&program.path).display();
        let why = format!("{asked} cannot be run: {}", launch::why_not(program, error));
        let advice = match error.kind() {
            ErrorKind::PermissionDenied => {
                "see to its rights: a program is a file that may be executed"
            }
            _ if !program.scripts.is_empty() => "see to the first line of the script",
            _ => "see to its name, and to PATH",
        };
        return Finding::problem(SUBJECT, why, advice);
    }
    if let Some(loader) = program.missing_interpreter() {
        return Finding::problem(
            SUBJECT,
            format!(
                "{path} cannot be run: its interpreter {} is not there",
                loader.display()
            ),
            "install it",
        );
    }
    if let Some(hindrance) = library.and_then(|library| launch::hindrance(program, library)) {
        return Finding::problem(
            SUBJECT,
            format!("{} {hindrance}", launch::name(program)),
            hindrance.advice(),
        );
    }
    let scripts: Vec<String> = program
        .scripts
        .iter()
        .map(|script| script.display().to_string())
        .collect();
    let by_way = if scripts.is_empty() {
        String::new()
    } else {
        format!(", which runs {}", scripts.join(", and that "))
    };
    match &program.elf {
        Some(_) => Finding::ok(
            SUBJECT,
            format!("{path}{by_way}: the loader takes the guard in"),
        ),
        None => Finding::warning(
            SUBJECT,
            format!("{path}{by_way} is no program that is known here"),
            "look at the program that runs it",
        ),
    }
}

/// What the program's own loader says, with the guard preloaded: it lists what it would load.
fn loader(program: &Program, library: &Path) -> Findings {
    const SUBJECT: &str = "loader";
    let Some(loader) = program.elf.as_ref().and_then(|elf| elf.loader.as_ref()) else {
        return Vec::new();
    };
    let mut command = Command::new(loader);
    command.arg("--list").arg(&program.path);
    let before = std::env::var_os(preload::VARIABLE);
    command.env(
        preload::VARIABLE,
        preload::value(library, before.as_deref()),
    );
    let place = loader.display();
    let ended = match inside::run(command, PATIENCE) {
        Ok(ended) => ended,
        Err(error) => {
            let why = format!("{place} cannot be asked: {}", reason(&error));
            return vec![Finding::warning(
                SUBJECT,
                why,
                "see whether the program runs at all",
            )];
        }
    };
    let said = ended.stderr.lines().next().unwrap_or_default();
    if !ended.status.success() {
        let why = format!("{place} would not load the program with the guard: {said}");
        return vec![Finding::problem(
            SUBJECT,
            why,
            "see whether it loads without; a guard for an older glibc may be needed",
        )];
    }
    let mut paths = ended
        .stdout
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    if !paths.clone().any(|path| preload::is_guard(Path::new(path))) {
        return vec![Finding::problem(
            SUBJECT,
            format!("{place} leaves the guard out: {said}"),
            "a guard for that loader's glibc is needed",
        )];
    }
    let driver = paths.find(|path| {
        let name = Path::new(path).file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("libcuda.so"))
    });
    vec![match driver {
        Some(driver) => Finding::ok(
            SUBJECT,
            format!(
                "{place} loads the guard, and {driver}, with which the program is linked: its \
                 calls are seen, but for those of a library that it opens with RTLD_DEEPBIND"
            ),
        ),
        None => Finding::ok(SUBJECT, format!("{place} loads the guard")),
    }]
}
