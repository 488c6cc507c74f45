//! Questions that only a process with the guard in it can answer: this command runs itself again,
//! with the library preloaded, as `forkguard __inside QUESTION`.
//!
//! Whatever the loader or the driver does there, they do it to that process.

pub mod answers;

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::event::plain;
use crate::trouble::reason;
use crate::{launch, library};

/// The word in the place of a subcommand.
const WORD: &str = "__inside";
/// How long an answer may take. The driver's library alone has 100 MB to be read.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// What the library says of itself.
    Describe,
    /// Which driver there is, without initialising it.
    Driver,
    /// What becomes of a forked child that uses CUDA.
    SelfTest,
}

impl Question {
    const ALL: [Self; 3] = [Self::Describe, Self::Driver, Self::SelfTest];

    fn word(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Driver => "driver",
            Self::SelfTest => "self-test",
        }
    }

    /// What this command was started to answer. No user is to write that, so it is none of the
    /// arguments that help and completions tell of.
    pub fn asked(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        words.nth(1).filter(|word| word == WORD)?;
        let question = words.next()?;
        Self::ALL.into_iter().find(|known| question == known.word())
    }
}

/// What the library says of itself; see `src/describe.rs`.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Description {
    /// The library's version.
    pub version: String,
    /// Whether nothing is intercepted.
    pub off: bool,
    /// The chain of policies in force.
    pub policy: Vec<String>,
    /// All settings.
    pub settings: Vec<Setting>,
    /// Who clears the table in a forked child: `kernel` or `fork`.
    pub cleared_by: String,
}

/// One setting in force.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Setting {
    /// The variable's name.
    pub name: String,
    /// The value, as it would be written.
    pub value: String,
    /// `default`, `environment`, or a file and its line.
    pub source: String,
    /// Whether the environment cannot override it.
    pub locked: bool,
}

impl Description {
    /// The setting of this name.
    pub fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.name == name)
    }
}

/// An answer, and what the loader and the library said besides.
pub struct Answered<A> {
    pub answer: A,
    pub said: Vec<String>,
}

/// Why there is none, and what was said.
pub struct Unanswered {
    pub why: String,
    pub said: Vec<String>,
}

/// Asks in a process with the library `guard` preloaded; `with` may change its environment.
pub fn ask<A: for<'de> Deserialize<'de>>(
    guard: &Path,
    question: Question,
    with: impl FnOnce(&mut Command),
) -> Result<Answered<A>, Unanswered> {
    let mut words = vec![library::command().into_os_string()];
    words.extend([WORD.into(), question.word().into()]);
    let mut command = launch::guarded(&words, guard);
    with(&mut command);
    let without = |why: String, said| Unanswered { why, said };
    let ended =
        run(command, PATIENCE).map_err(|error| without(reason(&error).into_owned(), Vec::new()))?;
    let said: Vec<String> = ended.stderr.lines().map(plain).collect();
    if !ended.status.success() {
        let why = format!("the process that was to answer ended with {}", ended.status);
        return Err(without(why, said));
    }
    match serde_json::from_str(&ended.stdout) {
        Ok(answer) => Ok(Answered { answer, said }),
        Err(error) => Err(without(
            format!("the answer is not understood: {error}"),
            said,
        )),
    }
}

/// How a helper ended, and what it said.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a helper to its end, which comes within `patience`.
pub fn run(mut command: Command, patience: Duration) -> io::Result<Ended> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let until = Instant::now() + patience;
    let text = |from: mpsc::Receiver<String>| {
        from.recv_timeout(until.saturating_duration_since(Instant::now()))
    };
    let (Ok(stdout), Ok(stderr)) = (text(stdout), text(stderr)) else {
        // What it started may hold its output open for ever: it is not waited for.
        let _ = child.kill();
        let _ = child.wait();
        let seconds = patience.as_secs();
        let why = format!("it did not end within {seconds} s");
        return Err(io::Error::new(io::ErrorKind::TimedOut, why));
    };
    Ok(Ended {
        status: child.wait()?,
        stdout,
        stderr,
    })
}

/// Most that is read of a helper's output.
const OUTPUT: u64 = 1 << 20;

fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (give, take) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(OUTPUT).read_to_end(&mut bytes);
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        let _ = give.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    take
}
