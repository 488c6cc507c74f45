//! `forkguard trace`: runs a program to its end and says who initialised CUDA.
//!
//! What it says goes to standard error or to a file, so that the program's output stays its own.

use std::env;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::arguments::Trace;
use crate::trouble::{Ended, FAILED, Trouble, reason};
use crate::watch::{Watched, watch};
use crate::{library, story};

/// Ends as the program does.
pub fn trace(arguments: &Trace) -> Ended {
    let library = library::find(arguments.library.path.as_deref())?;
    // Opened first: nobody wants to wait for a program and then be told that its story is lost.
    let mut output = match arguments.output.as_deref() {
        Some(path) => Some((path, create(path)?)),
        None => None,
    };
    let words = &arguments.program.words;
    let watched = watch(words, &library, None)?;
    let cwd = env::current_dir().unwrap_or_default();
    let processes = story::tell(&watched, &cwd);
    let text = if arguments.json {
        let command: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let told = json!({
            "schema": 1,
            "command": command,
            "pid": watched.pid,
            "code": watched.status.code(),
            "signal": watched.status.signal(),
            "guarded": watched.unguarded().is_none(),
            "first": processes.iter().find(|it| it.initialised.is_some()).map(|it| it.pid),
            "left": watched.left.iter().map(|left| left.pid).collect::<Vec<_>>(),
            "processes": processes,
        });
        format!("{told}\n")
    } else {
        told(&watched, &processes, &cwd)
    };
    match &mut output {
        Some((path, file)) => file
            .write_all(text.as_bytes())
            .map_err(|error| not_written(path, &error))?,
        // Nobody reads what cannot be written.
        None => drop(anstream::stderr().write_all(text.as_bytes())),
    }
    Ok(ExitCode::from(watched.code()))
}

fn told(watched: &Watched, processes: &[story::Process], cwd: &Path) -> String {
    let unguarded = watched.unguarded();
    let mut text = match &unguarded {
        Some(why) => format!("forkguard: {why}\n"),
        None => String::new(),
    };
    if unguarded.is_none() || !processes.is_empty() {
        let _ = writeln!(text, "forkguard: {}", story::headline(processes, false));
    }
    text += &story::processes(processes, watched, cwd);
    if watched.unreadable > 0 {
        let _ = writeln!(text, "\n  {}", watched.lost());
    }
    if let Some(goes_on) = watched.goes_on() {
        let _ = writeln!(text, "\n  {goes_on}");
    }
    text
}

fn create(path: &Path) -> Result<File, Trouble> {
    File::create(path).map_err(|error| not_written(path, &error))
}

fn not_written(path: &Path, error: &std::io::Error) -> Trouble {
    let why = reason(error);
    Trouble::new(
        FAILED,
        format!("{} cannot be written to: {why}", path.display()),
    )
}
