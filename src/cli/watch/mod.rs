//! A program run to its end under the guard, and what it and whatever it started told of CUDA.
//!
//! The program has this command's terminal, descriptors and process group. What is told comes from
//! other processes: a line that is no event is counted and passed over.

mod driver;
mod left;
mod signals;

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use tempfile::TempPath;

pub use driver::StandIn;
use left::Left;

use crate::event::Event;
use crate::folder;
use crate::launch;
use crate::program::{Hindrance, Program};
use crate::trouble::{FAILED, Trouble, reason};

/// Bytes read of what was told; far more than any program has to tell.
const MOST: u64 = 256 << 20;

/// Names the file in which a process tells what it does.
const TOLD_BY: &str = "FORKGUARD_TRACE";

/// A program that has ended.
pub struct Watched {
    /// Its pid.
    pub pid: i32,
    /// How it ended.
    pub status: ExitStatus,
    /// When it was started, since the epoch.
    pub started: Duration,
    /// What was told, in the order in which it happened.
    pub events: Vec<Event>,
    /// Lines that are no events.
    pub unreadable: usize,
    /// Processes that it started and that go on.
    pub left: Vec<Left>,
    /// What kept the guard out of it, in a sentence, where that was plain beforehand.
    hindrance: Option<String>,
}

impl Watched {
    /// Why nothing can be said of the program itself, if so: the guard was not in it.
    pub fn unguarded(&self) -> Option<String> {
        if let Some(hindrance) = &self.hindrance {
            return Some(format!("not all was seen: {hindrance}"));
        }
        let loaded = |event: &Event| event.name == "loaded" && event.pid == self.pid;
        (!self.events.iter().any(loaded)).then(|| {
            "nothing was seen: the guard was not loaded into the program; forkguard doctor may say \
             why"
            .into()
        })
    }

    /// A program of which this was told, and that has ended.
    #[cfg(any(test, fuzzing))]
    pub fn heard(text: &[u8]) -> Self {
        let (events, unreadable) = read(text);
        Self {
            pid: 7008,
            status: ExitStatus::default(),
            started: Duration::from_secs(1_795_282_627),
            events,
            unreadable,
            left: Vec::new(),
            hindrance: None,
        }
    }

    /// What is said where there are unreadable lines.
    pub fn lost(&self) -> String {
        let count = self.unreadable;
        let lines = if count == 1 { "line" } else { "lines" };
        format!("{count} {lines} of what was seen could not be read")
    }

    /// What is said where processes go on that it started.
    pub fn goes_on(&self) -> Option<String> {
        left::sentence(&self.left)
    }

    /// Its exit code; of a program that a signal killed, 128 and the signal's number, as shells
    /// have it.
    pub fn code(&self) -> u8 {
        let code = self
            .status
            .code()
            .or_else(|| self.status.signal().map(|signal| 128 + signal));
        code.and_then(|code| u8::try_from(code).ok())
            .unwrap_or(FAILED)
    }
}

/// The file in which the program's processes tell what they do; nobody else can guess its name.
fn file_in(folder: &Path) -> Result<TempPath, Trouble> {
    let mode = if folder::may_become_others() {
        0o622
    } else {
        0o600
    };
    tempfile::Builder::new()
        .prefix("trace-")
        .rand_bytes(24)
        .tempfile_in(folder)
        .and_then(|file| {
            // Not when it is made: the umask would take from it.
            file.as_file()
                .set_permissions(PermissionsExt::from_mode(mode))?;
            Ok(file.into_temp_path())
        })
        .map_err(|error| {
            let why = reason(&error);
            Trouble::new(
                FAILED,
                format!("no file can be made in {}: {why}", folder.display()),
            )
        })
}

/// Runs the program of `words`. The policy is the user's, where one is set; otherwise nothing is
/// done about forked children, so that what is seen is the program as it is.
pub fn watch(
    words: &[OsString],
    library: &Path,
    stand_in: Option<&StandIn>,
) -> Result<Watched, Trouble> {
    let folder = folder::private()?;
    let file = file_in(folder.path())?;
    let words = &launch::words(words);
    let program = Program::of(words);
    let mut command = launch::guarded(words, library);
    let hindrance = launch::hindrance(&program, library);
    if hindrance.as_ref().is_some_and(Hindrance::is_fatal) {
        launch::unguarded(&mut command);
    }
    command.env(TOLD_BY, &*file);
    if env::var_os("FORKGUARD_POLICY").is_none_or(|policy| policy.is_empty()) {
        command.env("FORKGUARD_POLICY", "off");
    }
    if let Some(stand_in) = stand_in {
        stand_in.give(&mut command, folder.path())?;
    }

    signals::handle();
    let started = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let mut child = command
        .spawn()
        .map_err(|error| launch::not_started(&words[0], &error))?;
    let pid = signals::pass_to(&child);
    signals::until_ended(pid);
    let status = child.wait().map_err(|error| {
        let why = reason(&error);
        Trouble::new(FAILED, format!("how the program ended is not known: {why}"))
    })?;

    let left = left::behind(&file);
    let (events, unreadable) = told(&file)?;
    Ok(Watched {
        pid,
        status,
        started,
        events,
        unreadable,
        left,
        hindrance: hindrance.map(|hindrance| format!("{} {hindrance}", launch::name(&program))),
    })
}

/// What was written to the file, if anything was.
fn told(file: &Path) -> Result<(Vec<Event>, usize), Trouble> {
    let mut text = Vec::new();
    match File::open(file).and_then(|file| file.take(MOST).read_to_end(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let why = reason(&error);
            return Err(Trouble::new(
                FAILED,
                format!("what was seen cannot be read: {why}"),
            ));
        }
    }
    Ok(read(&text))
}

/// The events in the lines of a text, and how many lines are none.
fn read(text: &[u8]) -> (Vec<Event>, usize) {
    let mut events = Vec::new();
    let mut unreadable = 0;
    for line in text.split(|&byte| byte == b'\n') {
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(event) => events.push(event),
            Err(_) => unreadable += 1,
        }
    }
    (events, unreadable)
}
