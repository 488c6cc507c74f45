//! What is in force, where it was set, and who may change it.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Findings;
use super::finding::Finding;
use super::machine::Guard;
use crate::program::find;
use crate::trouble::reason;

const SUBJECT: &str = "settings";
const DEFAULT_FILE: &str = "/etc/forkguard.conf";
/// Variables that are no settings, and mean something all the same.
const OTHERS: [&str; 7] = [
    "FORKGUARD_CONFIG",
    "FORKGUARD_TRACE",
    "FORKGUARD_PYTHON",
    "FORKGUARD_STANDIN",
    "FORKGUARD_PARENT_PID",
    "FORKGUARD_FUNCTION",
    "FORKGUARD_RESTARTED",
];

/// The settings of a process that has this one's environment.
pub fn look(guard: Option<&Guard>) -> Findings {
    let mut found = Vec::new();
    if let Some(guard) = guard {
        found.push(in_force(guard));
        let ours = guard
            .said
            .iter()
            .filter_map(|line| line.strip_prefix("forkguard: "));
        found.extend(ours.map(|line| Finding::problem(SUBJECT, line, "mend the setting")));
        found.extend(unknown(guard));
        found.extend(report(guard));
        found.extend(command(guard));
    }
    found.extend(file(Path::new(DEFAULT_FILE), true));
    if let Some(named) = env::var_os("FORKGUARD_CONFIG").filter(|path| !path.is_empty()) {
        found.extend(file(Path::new(&named), false));
    }
    found
}

fn in_force(guard: &Guard) -> Finding {
    let settings = &guard.describes.settings;
    let set: Vec<String> = settings
        .iter()
        .filter(|setting| setting.source != "default" || setting.name == "FORKGUARD_POLICY")
        .map(|setting| {
            let name = setting.name.trim_start_matches("FORKGUARD_").to_lowercase();
            let value = if setting.value.is_empty() {
                "nothing"
            } else {
                &setting.value
            };
            let locked = if setting.locked { ", locked" } else { "" };
            format!("{name} is {value} ({}{locked})", setting.source)
        })
        .collect();
    let set = set.join("; ");
    if guard.describes.off {
        return Finding::warning(
            SUBJECT,
            format!("{set}: nothing is intercepted"),
            "set FORKGUARD_POLICY to another policy",
        );
    }
    Finding::ok(SUBJECT, set)
}

/// Variables that look like settings and are none.
fn unknown(guard: &Guard) -> Findings {
    let known = |name: &str| {
        let settings = &guard.describes.settings;
        settings.iter().any(|setting| setting.name == name)
            || OTHERS.contains(&name)
            || name.starts_with("FORKGUARD_TEST_")
    };
    let mut names: Vec<String> = env::vars_os()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with("FORKGUARD_") && !known(name))
        .collect();
    names.sort();
    let finding = |name: &String| {
        Finding::warning(
            SUBJECT,
            format!("the variable {name} is set, and there is no such setting"),
            "see README for the variables' names, or unset it",
        )
    };
    names.iter().map(finding).collect()
}

/// Whether events can be written where they are to go.
fn report(guard: &Guard) -> Option<Finding> {
    const SUBJECT: &str = "report";
    let target = &guard.describes.setting("FORKGUARD_REPORT")?.value;
    if target.is_empty() || target == "stderr" {
        return None;
    }
    if let Some(number) = target.strip_prefix("fd:") {
        let open = Path::new("/proc/self/fd").join(number).exists();
        return (!open).then(|| {
            Finding::warning(
                SUBJECT,
                format!("descriptor {number}, where events go, is not open here"),
                "open it for the program: 3>>events.jsonl forkguard run --report fd:3 -- …",
            )
        });
    }
    let (what, path) = match target.strip_prefix("text:") {
        Some(path) => ("the report's text is", path),
        None => ("events are", target.as_str()),
    };
    let path = PathBuf::from(path);
    let place = path.display();
    let folder = path.parent().unwrap_or(Path::new("/"));
    if let Some(why) = refused(&path, folder) {
        return Some(Finding::problem(
            SUBJECT,
            format!("{what} to go to {place}, and {why}: the guard writes nothing there"),
            "name another file with FORKGUARD_REPORT",
        ));
    }
    let tried = if path.exists() { &path } else { folder };
    Some(if may_write(tried) {
        Finding::ok(SUBJECT, format!("{what} written to {place}"))
    } else {
        Finding::problem(
            SUBJECT,
            format!(
                "{what} to go to {place}, and {} cannot be written to",
                tried.display()
            ),
            "name another file with FORKGUARD_REPORT, or give this user the right to",
        )
    })
}

/// Why the guard does not write to what stands there already, whatever this user's rights are.
fn refused(path: &Path, folder: &Path) -> Option<String> {
    let there = fs::symlink_metadata(path).ok()?;
    if there.is_dir() {
        return Some("that is a folder".to_owned());
    }
    if there.is_symlink() {
        return Some("that is a symbolic link, which is not followed".to_owned());
    }
    let is_everybodys = fs::metadata(folder).is_ok_and(|folder| folder.mode() & 0o002 != 0);
    // SAFETY: takes nothing and cannot fail.
    let is_others = there.uid() != 0 && there.uid() != unsafe { libc::geteuid() };
    (is_everybodys && is_others).then(|| {
        format!(
            "that is a file of user {}'s in a folder that everybody may write",
            there.uid()
        )
    })
}

/// Whether the command that is to stand in for a forked child is there.
fn command(guard: &Guard) -> Option<Finding> {
    let value = &guard.describes.setting("FORKGUARD_EXEC")?.value;
    let word = value.split_whitespace().next()?;
    let is_plain = !word.contains(['\'', '"', '\\']);
    if !guard.may("exec") || value == "restart" || !is_plain {
        return None;
    }
    let error = find(word.as_ref()).err()?;
    Some(Finding::warning(
        SUBJECT,
        format!(
            "{word}, which FORKGUARD_EXEC has run in a forked child's place, cannot be run here: {}",
            reason(&error)
        ),
        "see to its name, and to PATH",
    ))
}

fn may_write(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: the path ends with a NUL.
    unsafe { libc::access(path.as_ptr(), libc::W_OK) == 0 }
}

/// Who may write a configuration file, and the folder that it lies in. What is wrong with its text
/// the library says itself.
fn file(path: &Path, must_be_roots: bool) -> Option<Finding> {
    const SUBJECT: &str = "config";
    let data = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let place = path.display();
    // SAFETY: takes nothing and cannot fail.
    let us = unsafe { libc::geteuid() };
    let owned = data.uid() == 0 || (!must_be_roots && data.uid() == us);
    Some(if data.mode() & 0o002 != 0 {
        Finding::problem(
            SUBJECT,
            format!("everybody may write {place}, and so change what the guard does"),
            &format!("chmod o-w {place}"),
        )
    } else if !owned {
        Finding::problem(
            SUBJECT,
            format!(
                "{place} belongs to user {}, who may change what the guard does",
                data.uid()
            ),
            &format!("chown root {place}"),
        )
    } else if data.mode() & 0o020 != 0 && data.gid() != 0 {
        Finding::warning(
            SUBJECT,
            format!("group {} may write {place}", data.gid()),
            &format!("chmod g-w {place}"),
        )
    } else {
        Finding::ok(SUBJECT, format!("{place}, which only its owner may write"))
    })
}
