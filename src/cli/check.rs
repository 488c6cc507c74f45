//! `forkguard check`: fails when a program initialises CUDA, or would where there is a driver.

use std::env;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;

use crate::arguments::Check;
use crate::trouble::{Ended, say};
use crate::watch::{StandIn, Watched, watch};
use crate::{library, story};

/// Nothing can be said.
const UNKNOWN: u8 = 2;

/// 0 where CUDA was left alone, 1 where it was not, 2 where nothing can be said.
pub fn check(arguments: &Check) -> Ended {
    let unknown = |trouble: crate::trouble::Trouble| trouble.with_code(UNKNOWN);
    let library = library::find(arguments.library.path.as_deref()).map_err(unknown)?;
    let stand_in = StandIn::where_needed().map_err(unknown)?;
    let words = &arguments.program.words;
    let watched = watch(words, &library, stand_in.as_ref()).map_err(unknown)?;
    let cwd = env::current_dir().unwrap_or_default();
    let processes = story::tell(&watched, &cwd);

    if !processes.is_empty() {
        let headline = story::headline(&processes, stand_in.is_some());
        let mut text = format!("forkguard: {headline}\n");
        text += &story::processes(&processes, &watched, &cwd);
        if let Some(seen) = processes.iter().find_map(story::Process::first) {
            let _ = write!(text, "\n{}", story::fix(seen, &cwd));
        }
        // Nobody reads what cannot be written; the exit code says it as well.
        let _ = anstream::stderr().write_all(text.as_bytes());
        return Ok(ExitCode::FAILURE);
    }
    if let Some(why) = watched.unguarded() {
        say(&format!("nothing can be said: {why}"));
        return Ok(ExitCode::from(UNKNOWN));
    }
    if watched.unreadable > 0 {
        say(&format!("nothing can be said: {}", watched.lost()));
        return Ok(ExitCode::from(UNKNOWN));
    }
    if let Some(failure) = failure(&watched) {
        say(&format!(
            "nothing can be said: the program {failure}; up to then CUDA was not initialised"
        ));
        return Ok(ExitCode::from(UNKNOWN));
    }
    if let Some(goes_on) = watched.goes_on() {
        say(&format!(
            "nothing can be said: {goes_on}; up to now CUDA was not initialised"
        ));
        return Ok(ExitCode::from(UNKNOWN));
    }
    if !arguments.quiet {
        say("CUDA was not initialised");
    }
    Ok(ExitCode::SUCCESS)
}

/// How the program failed, if it did.
fn failure(watched: &Watched) -> Option<String> {
    if let Some(signal) = watched.status.signal() {
        return Some(format!("was killed by signal {signal}"));
    }
    let code = watched.status.code().filter(|code| *code != 0)?;
    Some(format!("failed with exit code {code}"))
}
