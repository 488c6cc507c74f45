//! The guard's events, one JSON object a line, as they are read back.
//!
//! Whatever is not known is left out of the reading, so that the events of a newer guard are read
//! by an older command. Their text comes from programs and may hold anything: who shows it on a
//! terminal goes through [`plain`].

use serde::{Deserialize, Serialize};

/// One event.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Event {
    /// The version of the events' form.
    pub schema: u32,
    /// `initialised`, `violation`, `rewritten`, `revived`, `cpu`, `refused`, …
    #[serde(rename = "event")]
    pub name: String,
    /// When, as RFC 3339 in UTC.
    pub time: String,
    /// The process it happened in.
    pub pid: i32,
    /// Its parent.
    #[serde(default)]
    pub ppid: i32,
    /// Its executable's path.
    #[serde(default)]
    pub exe: String,
    /// The name it was started by.
    #[serde(default)]
    pub argv0: String,
    /// The arguments it was started with, where they were asked for.
    #[serde(default)]
    pub argv: Vec<String>,
    /// The policy that acted.
    #[serde(default)]
    pub policy: String,
    /// The function that was called.
    #[serde(default)]
    pub function: String,
    /// The library through which it was called.
    pub library: Option<String>,
    /// Whether a context had been made where CUDA was initialised: it was used, not only asked.
    #[serde(default)]
    pub context: bool,
    /// What `cuInit` answered where it failed.
    pub code: Option<u32>,
    /// Why `exec` or `revive` could not serve.
    pub reason: Option<String>,
    /// Of a violation, what was done: `abort`, `exit` or `warn`.
    #[serde(default)]
    pub action: String,
    /// … and the exit code it ended with.
    pub exit_code: Option<i32>,
    /// How CUDA was touched: `driver-call`, `torch-refusal` or `xla-call`.
    #[serde(default)]
    pub kind: String,
    /// Whether `cuInit` had not yet returned when the fork was made.
    #[serde(default)]
    pub initialising: bool,
    /// Why a process that was to be a fresh one is a fork.
    pub refusal: Option<String>,
    /// Why a process that was to have a driver of its own has none.
    pub not_revived: Option<String>,
    /// Of a rewritten fork, what it was to run.
    #[serde(default)]
    pub process: String,
    /// … the fresh process.
    pub child: Option<i32>,
    /// … how it was made: `exec`, `template` or `command`.
    #[serde(default)]
    pub way: String,
    /// The files that the native frames lie in.
    #[serde(default)]
    pub modules: Vec<ModuleFile>,
    /// Events before this one that were not written, because there were too many.
    #[serde(default)]
    pub suppressed: u64,
    /// … because they could not be.
    #[serde(default)]
    pub lost: u64,
    /// Where CUDA was initialised.
    pub initialised: Option<Moment>,
    /// The fork that made the process.
    pub forked: Option<Moment>,
    /// All forks from the process that initialised CUDA to this one, oldest first.
    #[serde(default)]
    pub forks: Vec<Moment>,
    /// Where CUDA was used in the forked process.
    pub used: Option<Moment>,
    /// What to do.
    #[serde(default)]
    pub advice: Vec<String>,
}

/// Something that happened, where, and by whom.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Moment {
    /// The process.
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// Its name.
    pub thread: String,
    /// When, as RFC 3339 in UTC.
    pub time: String,
    /// The function called.
    pub function: String,
    /// The library through which it was called.
    pub library: Option<String>,
    /// Of a fork, the process that it made.
    pub child: Option<i32>,
    /// Frames of Python, innermost last.
    pub python: Vec<PythonFrame>,
    /// Native frames, innermost last.
    pub native: Vec<NativeFrame>,
    /// How many frames of Python were left out.
    pub python_omitted: u64,
    /// How many native frames were left out.
    pub native_omitted: u64,
}

/// A file that was mapped into the process.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ModuleFile {
    /// Its path.
    pub module: String,
    /// Its build id in hexadecimal; it may have none.
    pub build_id: Option<String>,
}

/// A frame of Python.
#[derive(Debug, Clone, Default, Deserialize, Serialize, PartialEq, Eq, Hash)]
#[serde(default)]
pub struct PythonFrame {
    /// The source file.
    pub file: String,
    /// Its line, from 1.
    pub line: u32,
    /// The function.
    pub function: String,
    /// Whether it is the program's own, not a library's.
    pub own: bool,
}

/// A native frame.
#[derive(Debug, Clone, Default, Deserialize, Serialize, PartialEq, Eq, Hash)]
#[serde(default)]
pub struct NativeFrame {
    /// The file that was mapped there.
    pub module: Option<String>,
    /// Offset of the return address from where the file was mapped.
    pub offset: u64,
    /// The name that the loader knows for it.
    pub symbol: Option<String>,
}

/// Text as it may be shown on a terminal: control characters, which could move the cursor or
/// change colours, are replaced, and line breaks and tabs are spaces.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\r' | '\t' => ' ',
            letter if letter.is_control() => char::REPLACEMENT_CHARACTER,
            letter => letter,
        })
        .collect()
}
