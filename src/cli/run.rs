//! `forkguard run`: the program takes the place of this command, guarded.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::arguments::{Policy, Run};
use crate::inside::{self, Answered, Description, Question};
use crate::program::Program;
use crate::trouble::{Ended, say};
use crate::{launch, library};

/// Becomes the program; comes back only where that cannot be.
pub fn run(arguments: &Run) -> Ended {
    let library = library::find(arguments.library.path.as_deref())?;
    let words = launch::words(&arguments.program.words);
    let program = Program::of(&words);
    let mut command = launch::guarded(&words, &library);
    set(&mut command, arguments);
    if let Some(hindrance) = launch::hindrance(&program, &library) {
        say(&format!("{} {hindrance}", launch::name(&program)));
        if hindrance.is_fatal() {
            launch::unguarded(&mut command);
        }
    }
    for line in overridden(arguments, &library) {
        say(&line);
    }
    let error = command.exec();
    Err(launch::not_started(&words[0], &error))
}

/// Puts what was asked for into the program's environment.
fn set(command: &mut Command, arguments: &Run) {
    if !arguments.policy.is_empty() {
        command.env("FORKGUARD_POLICY", Policy::chain(&arguments.policy));
    }
    if let Some(report) = &arguments.report {
        command.env("FORKGUARD_REPORT", target(report));
    }
    if arguments.verbose > 0 {
        command.env("FORKGUARD_VERBOSE", arguments.verbose.min(2).to_string());
    }
}

/// A file by its full path: what the program starts may stand in another folder.
fn target(report: &OsStr) -> OsString {
    let bytes = report.as_bytes();
    if report == "stderr" || bytes.starts_with(b"fd:") {
        return report.to_owned();
    }
    let (kind, path) = match bytes.strip_prefix(b"text:") {
        Some(path) => ("text:", OsStr::from_bytes(path)),
        None => ("", report),
    };
    std::path::absolute(path).map_or_else(
        |_| report.to_owned(),
        |path| [OsStr::new(kind), path.as_os_str()].into_iter().collect(),
    )
}

/// What was asked for and is not in force, since a line of a configuration file says otherwise and
/// is locked.
fn overridden(arguments: &Run, library: &Path) -> Vec<String> {
    let mut asked = Vec::new();
    if !arguments.policy.is_empty() {
        let chain = Policy::chain(&arguments.policy);
        asked.push(("--policy", "FORKGUARD_POLICY", chain));
    }
    if let Some(report) = &arguments.report {
        let target = target(report).to_string_lossy().into_owned();
        asked.push(("--report", "FORKGUARD_REPORT", target));
    }
    if arguments.verbose > 0 {
        let level = arguments.verbose.min(2).to_string();
        asked.push(("--verbose", "FORKGUARD_VERBOSE", level));
    }
    let may_be_locked = fs::exists("/etc/forkguard.conf").unwrap_or(true)
        || env::var_os("FORKGUARD_CONFIG").is_some();
    if asked.is_empty() || !may_be_locked {
        return Vec::new();
    }
    // What the library itself would say, it says when the program starts.
    let Ok(Answered { answer, .. }) =
        inside::ask::<Description>(library, Question::Describe, |command| {
            set(command, arguments);
        })
    else {
        return Vec::new();
    };
    let not_in_force = |(option, name, value): &(&str, &str, String)| {
        let setting = answer.setting(name).filter(|setting| setting.locked)?;
        (setting.value != *value).then(|| {
            let value = if setting.value.is_empty() {
                "nothing"
            } else {
                &setting.value
            };
            let by = match &*setting.source {
                "default" => "left unset by a configuration file".to_owned(),
                source => format!("set to {value} by {source}"),
            };
            format!("{option} does not hold: {name} is {by} and cannot be overridden")
        })
    };
    asked.iter().filter_map(not_in_force).collect()
}
