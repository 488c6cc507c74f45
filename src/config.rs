//! What the user asked for: the `FORKGUARD_*` variables and the configuration file.
//!
//! Read once, by the constructor, into static memory; from then on every hook reads it without
//! a lock. Nothing here allocates. A value that is not understood is an error said once, and
//! the default stands: a mistyped setting must neither stop a program nor disarm the guard.
//!
//! Precedence, the strongest first: lines with `!` of `/etc/forkguard.conf`, lines with `!` of
//! the file named by `FORKGUARD_CONFIG`, the environment, plain lines of the file. The named
//! file stands in the place of `/etc/forkguard.conf`, but for the latter's `!` lines. In
//! secure-execution mode (a setuid program) the environment is not read at all.
//!
//! A locked policy takes with it the settings that would weaken it (`WEAKENING`), and a line `!*`
//! takes all: what the file does not set has its default. Where something was to be locked and it
//! cannot be told what (a `!` line that is not understood, an `/etc/forkguard.conf` that cannot be
//! read), everything is: a mistake in a file that enforces must not open what it was to close.
//!
//! `FORKGUARD_TRACE` is no setting but the `forkguard` command's own way to watch a program: the
//! full path of a file that every event goes to, whatever the settings say, with those that only a
//! trace is told (`attempted`, `context`). It decides nothing, so no file can forbid it; under `off`
//! it has the guard watch without a word.

pub mod command;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod origin;

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char};
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use origin::Origin;

use crate::report::buffer::Buffer;
use crate::report::scene;
use crate::report::sink::{self, Pace, Target};

/// The file read when no other is named.
const DEFAULT_FILE: &CStr = c"/etc/forkguard.conf";
/// Bytes read of a configuration file.
const FILE: usize = 16 * 1024;
/// Bytes of the longest path.
const PATH: usize = 4096;
/// Bytes of the list of ignored functions.
const IGNORE: usize = 2048;
/// Bytes of the longest command line.
const COMMAND: usize = 4096;
/// Bytes of one message.
const MESSAGE: usize = 768;
/// Policies in a chain.
const CHAIN: usize = POLICIES.len();

/// What is done about CUDA in a forked child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// Report, then end the process.
    Abort,
    /// The fork becomes a fresh process; decided at the fork, not at the use.
    Exec,
    /// CUDA is absent in the child.
    Cpu,
    /// The child gets a driver of its own.
    Revive,
    /// Report, and let the call fail as it would.
    Warn,
    /// Intercept nothing.
    Off,
}

impl Policy {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::Abort => "abort",
            Policy::Exec => "exec",
            Policy::Cpu => "cpu",
            Policy::Revive => "revive",
            Policy::Warn => "warn",
            Policy::Off => "off",
        }
    }

    fn of(word: &str) -> Option<Self> {
        POLICIES.into_iter().find(|policy| policy.name() == word)
    }

    /// Whether it serves every child, so that what follows it in a chain is never asked.
    const fn is_last(self) -> bool {
        matches!(self, Policy::Abort | Policy::Warn | Policy::Off)
    }
}

const POLICIES: [Policy; 6] = [
    Policy::Abort,
    Policy::Exec,
    Policy::Cpu,
    Policy::Revive,
    Policy::Warn,
    Policy::Off,
];

/// Policies to try in turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Chain {
    steps: [Policy; CHAIN],
    /// How many follow the first.
    more: usize,
}

impl Chain {
    /// The default.
    const ABORT: Self = Self {
        steps: [Policy::Abort; CHAIN],
        more: 0,
    };

    fn steps(&self) -> &[Policy] {
        &self.steps[..=self.more]
    }

    /// The first policy, which is asked first.
    const fn first(&self) -> Policy {
        self.steps[0]
    }

    /// The policies that can ever be asked: up to the first that serves every child.
    fn asked(&self) -> &[Policy] {
        let steps = self.steps();
        let last = steps.iter().position(|policy| policy.is_last());
        &steps[..last.map_or(steps.len(), |last| last + 1)]
    }

    /// Whether `policy` may be asked, nothing but what is in `before` having been asked before it.
    fn asks(&self, policy: Policy, before: &[Policy]) -> bool {
        self.asked()
            .iter()
            .find(|step| !before.contains(step))
            .is_some_and(|step| *step == policy)
    }

    /// The first policy that acts at a use of CUDA. `exec` acts at the fork, or refuses it; a
    /// chain that ends there aborts.
    fn at_use(&self) -> Policy {
        let acts = |policy: &Policy| *policy != Policy::Exec;
        self.asked()
            .iter()
            .copied()
            .find(acts)
            .unwrap_or(Policy::Abort)
    }
}

/// Whether a fresh interpreter is kept ready, of which workers are copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Template {
    /// Where it pays: after heavy imports, or at the second worker.
    WhereItPays,
    /// From the first use of CUDA on; the first worker waits for it.
    Always,
    /// Never: every worker is executed.
    Never,
}

/// A string in a fixed place.
#[derive(Clone)]
struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    const EMPTY: Self = Self {
        bytes: [0; N],
        len: 0,
    };

    /// Keeps `parts`, one after the other, with a NUL; `false` where they do not fit.
    fn set(&mut self, parts: &[&[u8]]) -> bool {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        if len >= N {
            return false;
        }
        let mut at = 0;
        for part in parts {
            self.bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        self.bytes[len] = 0;
        self.len = len;
        true
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Report {
    None,
    Path,
    Text,
    Fd(i32),
    Stderr,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Exec {
    None,
    Restart,
    Command,
}

/// What `FORKGUARD_EXEC` puts in the place of a forked process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InPlace<'a> {
    /// The program's own command line again.
    Restart,
    /// This command line; [`command::split`] has accepted it.
    Command(&'a [u8]),
}

/// Everything that can be set.
#[derive(Clone)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own, not a state of one thing"
)]
pub struct Config {
    /// How much is said of what is no violation: 0, 1 or 2.
    pub verbose: u8,
    /// The exit code with which `abort` ends the process, instead of `SIGABRT`.
    pub exit_code: Option<u8>,
    /// Whether the text has no colours even on a terminal.
    pub plain: bool,
    /// Whether workers under `exec` are copies of a fresh interpreter that is kept ready.
    pub template: Template,
    /// Whether the user says that no child touches a CUDA handle of its parent's, so that `revive`
    /// may serve the child of a process that has some.
    pub foreign_handles_unused: bool,
    /// Whether events tell the program's arguments, which may hold what is nobody else's to know.
    pub report_argv: bool,
    policy: Chain,
    report: Report,
    path: Text<PATH>,
    trace: Text<PATH>,
    ignore: Text<IGNORE>,
    exec: Exec,
    command: Text<COMMAND>,
    replaced: bool,
    restarted: bool,
    origins: [Origin; KEYS.len()],
    /// Which of them the environment cannot change, whether they are set or not.
    locked: [bool; KEYS.len()],
    /// The file that `FORKGUARD_CONFIG` named.
    named: Text<PATH>,
}

impl Config {
    /// What holds where nothing is set. All of it is zeros: these 18 KB take no room in the
    /// library's file, and no memory but where something is set.
    const DEFAULT: Self = Self {
        verbose: 0,
        exit_code: None,
        plain: false,
        template: Template::WhereItPays,
        foreign_handles_unused: false,
        report_argv: false,
        policy: Chain::ABORT,
        report: Report::None,
        path: Text::EMPTY,
        trace: Text::EMPTY,
        ignore: Text::EMPTY,
        exec: Exec::None,
        command: Text::EMPTY,
        replaced: false,
        restarted: false,
        origins: [Origin::DEFAULT; KEYS.len()],
        locked: [false; KEYS.len()],
        named: Text::EMPTY,
    };

    /// What is done first about a use of CUDA in a forked child.
    pub fn policy(&self) -> Policy {
        self.policy.at_use()
    }

    /// What to ask in turn, as far as it can come to that. A chain that is exhausted aborts.
    pub fn chain(&self) -> &[Policy] {
        self.policy.asked()
    }

    /// Whether a fork after CUDA may have to become a fresh process: whether `exec` can be asked.
    /// Of what may stand before it, `revive` alone says at the fork already that it refuses.
    pub fn rewrites(&self) -> bool {
        self.policy.asks(Policy::Exec, &[Policy::Revive])
    }

    /// Whether `revive` may have to serve a child.
    pub fn revives(&self) -> bool {
        self.policy.asked().contains(&Policy::Revive)
    }

    /// Whether `revive` is asked before `exec` is.
    pub fn revives_before_exec(&self) -> bool {
        self.policy.asks(Policy::Revive, &[])
    }

    /// Whether CUDA may have to be absent in a child.
    pub fn may_be_absent(&self) -> bool {
        self.policy.asked().contains(&Policy::Cpu)
    }

    /// What is to run in the place of a forked process that no fresh one could stand for.
    pub fn in_place(&self) -> Option<InPlace<'_>> {
        match self.exec {
            _ if !self.rewrites() => None,
            Exec::None => None,
            Exec::Restart => Some(InPlace::Restart),
            Exec::Command => Some(InPlace::Command(self.command.get())),
        }
    }

    /// Whether this program was itself run in the place of a forked process (or was started by
    /// one that was).
    pub fn is_replacement(&self) -> bool {
        self.replaced
    }

    /// Whether it was so by `restart`.
    pub fn is_restart(&self) -> bool {
        self.restarted
    }

    /// Whether nothing is to be intercepted.
    pub fn is_off(&self) -> bool {
        self.policy.first() == Policy::Off && self.trace().is_none()
    }

    /// The chain as the user wrote it: `exec,abort`.
    pub fn put_chain(&self, out: &mut Buffer<'_>) {
        for (i, policy) in self.policy.steps().iter().enumerate() {
            out.put(format_args!(
                "{}{}",
                if i == 0 { "" } else { "," },
                policy.name()
            ));
        }
    }

    /// Where events go, if anywhere.
    pub fn report(&self) -> Option<Target<'_>> {
        match self.report {
            Report::None | Report::Text => None,
            Report::Fd(fd) => Some(Target::Fd(fd)),
            Report::Stderr => Some(Target::Stderr),
            Report::Path => self.path().map(Target::Path),
        }
    }

    /// The file that the report's text goes to as well, in the place of events, if one does.
    pub fn text_report(&self) -> Option<&CStr> {
        if self.report == Report::Text {
            self.path()
        } else {
            None
        }
    }

    fn path(&self) -> Option<&CStr> {
        CStr::from_bytes_with_nul(&self.path.bytes[..=self.path.len]).ok()
    }

    /// The file of the command that watches this program, if one does.
    pub fn trace(&self) -> Option<&CStr> {
        if self.trace.len == 0 {
            return None;
        }
        CStr::from_bytes_with_nul(&self.trace.bytes[..=self.trace.len]).ok()
    }

    /// Whether the user wants this driver function treated as a probe.
    ///
    /// `cuMemAlloc` in the list stands for `cuMemAlloc_v2` and the other variants as well.
    pub fn ignores(&self, function: &[u8]) -> bool {
        !self.ignore.get().is_empty()
            && words(self.ignore.get()).any(|word| {
                function
                    .strip_prefix(word)
                    .is_some_and(|rest| rest.is_empty() || is_variant(rest))
            })
    }
}

/// `_v2`, `_ptsz`, `_v2_ptds`, …
fn is_variant(suffix: &[u8]) -> bool {
    let Some(suffix) = suffix.strip_prefix(b"_") else {
        return false;
    };
    suffix.split(|&b| b == b'_').all(|part| match part {
        b"ptsz" | b"ptds" => true,
        [b'v', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    })
}

/// The words of a comma list, without the spaces around them; empty ones are passed over.
fn words(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&b| b == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|word| !word.is_empty())
}

/// Static memory for the configuration and for reading it.
struct Store {
    ready: AtomicBool,
    config: UnsafeCell<Config>,
    file: UnsafeCell<[u8; FILE + 1]>,
}

// SAFETY: `config` and `file` are written by `load` alone, once, before `ready` is set; after
// that they are only read.
unsafe impl Sync for Store {}

static STORE: Store = Store {
    ready: AtomicBool::new(false),
    config: UnsafeCell::new(Config::DEFAULT),
    file: UnsafeCell::new([0; FILE + 1]),
};

/// The defaults. In a cell, for what never changes would stand in the file.
struct Defaults(UnsafeCell<Config>);

// SAFETY: nobody writes it.
unsafe impl Sync for Defaults {}

static DEFAULT: Defaults = Defaults(UnsafeCell::new(Config::DEFAULT));

/// The configuration; the defaults before [`load`].
pub fn get() -> &'static Config {
    if STORE.ready.load(Ordering::Acquire) {
        // SAFETY: `ready` says that `load` is done with it, and nobody writes it again.
        unsafe { &*STORE.config.get() }
    } else {
        // SAFETY: nobody writes it.
        unsafe { &*DEFAULT.0.get() }
    }
}

/// Reads the configuration. Called once, by the constructor, before the program has a thread.
pub fn load() {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if BEGUN.swap(true, Ordering::Relaxed) {
        return;
    }
    sink::remember_stderr();
    // SAFETY: the swap above lets one caller come here, and `get` gives nobody a reference to
    // these before `ready`.
    let (config, file) = unsafe { (&mut *STORE.config.get(), &mut *STORE.file.get()) };
    let mut say = |message: fmt::Arguments<'_>| {
        let mut room = [0; MESSAGE];
        let mut line = Buffer::new(&mut room);
        line.put(format_args!("forkguard: {message}\n"));
        sink::to_stderr(line.finish_printable(), Pace::GoesOn);
    };
    let mut loader = Loader {
        config,
        rank: [Rank::Default; KEYS.len()],
        say: &mut say,
    };

    // SAFETY: getauxval reads a table that the kernel made.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    let environment = Environment(if secure { core::ptr::null() } else { environ() });
    let named = environment
        .clone()
        .find_map(|entry| entry.to_bytes_with_nul().strip_prefix(b"FORKGUARD_CONFIG="))
        .filter(|path| path.len() > 1)
        .and_then(|path| CStr::from_bytes_with_nul(path).ok());

    match read(DEFAULT_FILE, file) {
        Ok(text) => {
            let only_locked = named.is_some();
            loader.file(text, DEFAULT_FILE, File::Default { only_locked });
        }
        Err(Unreadable::Errno(libc::ENOENT | libc::ENOTDIR)) => {}
        Err(reason) => loader.unreadable(DEFAULT_FILE, reason, Rank::LockedDefaultFile),
    }
    if let Some(path) = named.filter(|_| !loader.is_locked()) {
        match read(path, file) {
            Ok(text) => {
                // What does not fit is not opened either.
                loader.config.named.set(&[path.to_bytes()]);
                loader.file(text, path, File::Named);
            }
            Err(reason) => loader.unreadable(path, reason, Rank::Default),
        }
    }
    loader.environment(environment);
    loader.finish();
    STORE.ready.store(true, Ordering::Release);
}

/// The settings, in the order of [`Loader::rank`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Policy,
    Report,
    Verbose,
    ExitCode,
    Ignore,
    Exec,
    Template,
    Revive,
    ReportArgv,
}

const KEYS: [(Key, &str); 9] = [
    (Key::Policy, "FORKGUARD_POLICY"),
    (Key::Report, "FORKGUARD_REPORT"),
    (Key::Verbose, "FORKGUARD_VERBOSE"),
    (Key::ExitCode, "FORKGUARD_EXIT_CODE"),
    (Key::Ignore, "FORKGUARD_IGNORE"),
    (Key::Exec, "FORKGUARD_EXEC"),
    (Key::Template, "FORKGUARD_TEMPLATE"),
    (Key::Revive, "FORKGUARD_REVIVE"),
    (Key::ReportArgv, "FORKGUARD_REPORT_ARGV"),
];

/// What lets a use of CUDA through, or has something else done about it, than the policy says.
const WEAKENING: [Key; 3] = [Key::Ignore, Key::Exec, Key::Revive];
/// Locks every setting.
const EVERYTHING: &[u8] = b"*";

/// How strong the source of a setting is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Default,
    File,
    Environment,
    LockedFile,
    LockedDefaultFile,
}

/// Which file is being read.
#[derive(Clone, Copy)]
enum File {
    /// `/etc/forkguard.conf`; where another one is named, only its `!` lines count.
    Default {
        only_locked: bool,
    },
    Named,
}

/// Where a setting stands, for messages.
#[derive(Clone, Copy)]
enum Place<'a> {
    Variable(&'a str),
    Line(&'a CStr, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Variable(name) => f.write_str(name),
            Place::Line(path, line) => write!(f, "{}:{line}", Shown(path.to_bytes())),
        }
    }
}

/// Bytes for a message: what is no text or no printable character becomes `?`, and it ends
/// after a while.
struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 120;
        for chunk in self.0[..self.0.len().min(MOST)].utf8_chunks() {
            for c in chunk.valid().chars() {
                fmt::Write::write_char(f, if c.is_control() { '?' } else { c })?;
            }
            if !chunk.invalid().is_empty() {
                f.write_str("?")?;
            }
        }
        if self.0.len() > MOST {
            f.write_str("…")
        } else {
            Ok(())
        }
    }
}

struct Loader<'a> {
    config: &'a mut Config,
    rank: [Rank; KEYS.len()],
    /// Says one line on stderr.
    say: &'a mut dyn FnMut(fmt::Arguments<'_>),
}

impl Loader<'_> {
    fn say(&mut self, message: fmt::Arguments<'_>) {
        (self.say)(message);
    }

    /// A file was not read, which might have locked what `rank` locks.
    fn unreadable(&mut self, path: &CStr, reason: Unreadable, rank: Rank) {
        let locked = if rank > Rank::Default {
            ", and neither do the environment's, which it may forbid"
        } else {
            ""
        };
        self.say(format_args!(
            "the configuration file {} was not read: {reason}; its settings do not hold{locked}",
            Shown(path.to_bytes())
        ));
        self.lock(|_| true, rank);
    }

    /// Takes what is weaker than `rank` the right to change these settings.
    fn lock(&mut self, which: impl Fn(Key) -> bool, rank: Rank) {
        for (key, _) in KEYS {
            if which(key) {
                let held = &mut self.rank[key as usize];
                *held = rank.max(*held);
            }
        }
    }

    /// Whether everything is locked by the file that is always read.
    fn is_locked(&self) -> bool {
        self.rank
            .iter()
            .all(|rank| *rank == Rank::LockedDefaultFile)
    }

    fn environment<'e>(&mut self, variables: impl Iterator<Item = &'e CStr>) {
        let mut seen = [false; KEYS.len()];
        for variable in variables {
            let variable = variable.to_bytes();
            if variable.starts_with(b"NO_COLOR=") && variable.len() > b"NO_COLOR=".len()
                || variable == b"TERM=dumb"
            {
                self.config.plain = true;
            }
            if !variable.starts_with(b"FORKGUARD_") {
                continue;
            }
            self.config.replaced |= variable.starts_with(b"FORKGUARD_PARENT_PID=");
            self.config.restarted |= variable.starts_with(b"FORKGUARD_RESTARTED=");
            if let Some(path) = variable.strip_prefix(b"FORKGUARD_TRACE=") {
                self.trace(path);
            }
            for (i, (key, name)) in KEYS.into_iter().enumerate() {
                let value = variable
                    .strip_prefix(name.as_bytes())
                    .and_then(|value| value.strip_prefix(b"="));
                // Of a variable that is there twice, getenv gives the first.
                if let Some(value) = value
                    && !seen[i]
                {
                    seen[i] = true;
                    self.set(
                        key,
                        value.trim_ascii(),
                        Rank::Environment,
                        Place::Variable(name),
                    );
                }
            }
        }
    }

    fn file(&mut self, text: &[u8], path: &CStr, file: File) {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let locked_rank = match file {
            File::Named => Rank::LockedFile,
            File::Default { .. } => Rank::LockedDefaultFile,
        };
        let locks_everything = text
            .split(|&b| b == b'\n')
            .any(|line| locked(line) == Some(EVERYTHING));
        // The rest of a file that locks everything holds, whatever other file is named.
        let only_locked = matches!(file, File::Default { only_locked: true }) && !locks_everything;
        let mut windows = false;
        let mut not_understood = None;
        for (i, line) in text.split(|&b| b == b'\n').enumerate() {
            let place = Place::Line(path, i + 1);
            let mut failed = || {
                if locked(line).is_some() {
                    not_understood.get_or_insert(i + 1);
                }
            };
            if line.ends_with(b"\r") {
                if !windows {
                    self.say(format_args!(
                        "{place}: the line ends in a carriage return, as on Windows; such lines \
                         are passed over: save the file with plain line ends"
                    ));
                }
                windows = true;
                failed();
                continue;
            }
            let (line, rank) = match locked(line) {
                Some(EVERYTHING) => continue,
                Some(rest) => (rest, locked_rank),
                None if only_locked => continue,
                None => (line.trim_ascii(), Rank::File),
            };
            if rank == Rank::File && (line.is_empty() || line.starts_with(b"#")) {
                continue;
            }
            if !self.line(line, rank, place) {
                failed();
            }
        }
        if let Some(line) = not_understood {
            self.say(format_args!(
                "{}: a line that begins with ! has the last word, and was not understood; so the \
                 environment sets nothing",
                Place::Line(path, line)
            ));
        }
        if locks_everything || not_understood.is_some() {
            self.lock(|_| true, locked_rank);
        } else if self.rank[Key::Policy as usize] == locked_rank {
            self.lock(|key| WEAKENING.contains(&key), locked_rank);
        }
    }

    /// Answers whether the line was understood.
    fn line(&mut self, line: &[u8], rank: Rank, place: Place<'_>) -> bool {
        if line.contains(&0) {
            self.say(format_args!(
                "{place}: the line has a NUL byte in it and is passed over"
            ));
            return false;
        }
        let Some(equals) = line.iter().position(|&b| b == b'=') else {
            self.say(format_args!(
                "{place}: \"{}\" is not of the form KEY=VALUE and is passed over",
                Shown(line)
            ));
            return false;
        };
        let (name, value) = (line[..equals].trim_ascii(), line[equals + 1..].trim_ascii());
        let key = KEYS.iter().find(|(_, known)| known.as_bytes() == name);
        // A command line has quotes of its own: only a pair around all of it is the line's.
        let whole = |inner: &[u8]| !inner.contains(&value[0]);
        let value = match (key, unquote(value)) {
            (Some((Key::Exec, _)), inner) => inner
                .filter(|inner| *inner == value || whole(inner))
                .unwrap_or(value),
            (_, Some(inner)) => inner,
            (_, None) => {
                self.say(format_args!(
                    "{place}: the quotes around the value do not match; the line is passed over"
                ));
                return false;
            }
        };
        match key {
            Some((key, _)) => return self.set(*key, value, rank, place),
            None if name == b"FORKGUARD_CONFIG" => self.say(format_args!(
                "{place}: FORKGUARD_CONFIG has a meaning in the environment only; the line is \
                 passed over"
            )),
            None => self.say(format_args!(
                "{place}: there is no setting \"{}\"; the line is passed over",
                Shown(name)
            )),
        }
        false
    }

    /// Answers whether the value was understood; what may not be set here is not looked at.
    fn set(&mut self, key: Key, value: &[u8], rank: Rank, place: Place<'_>) -> bool {
        if rank < self.rank[key as usize] {
            return true;
        }
        // An empty variable is an unset one.
        if value.is_empty() && rank == Rank::Environment {
            return true;
        }
        let understood = match key {
            Key::Policy => self.policy(value, place),
            Key::Report => self.report(value, place),
            Key::Verbose => self.verbose(value, place),
            Key::ExitCode => self.exit_code(value, place),
            Key::Ignore => self.ignore(value, place),
            Key::Exec => self.exec(value, place),
            Key::Template => self.template(value, place),
            Key::Revive => self.revive(value, place),
            Key::ReportArgv => self.report_argv(value, place),
        };
        if understood {
            self.rank[key as usize] = rank;
            self.config.origins[key as usize] = match place {
                Place::Variable(_) => Origin::new(rank, 0, false),
                Place::Line(path, line) => Origin::new(rank, line, path != DEFAULT_FILE),
            };
        }
        understood
    }

    fn policy(&mut self, value: &[u8], place: Place<'_>) -> bool {
        let mut steps = [Policy::Abort; CHAIN];
        let mut len = 0;
        let mut unknown = false;
        for word in words(value) {
            match core::str::from_utf8(word).ok().and_then(Policy::of) {
                Some(policy) if steps[..len].contains(&policy) => {}
                Some(policy) => {
                    steps[len] = policy;
                    len += 1;
                }
                None => {
                    unknown = true;
                    let policy = self.config.policy().name();
                    self.say(format_args!(
                        "{place}: there is no policy \"{}\"; the policies are abort, exec, cpu, \
                         revive, warn and off, and {policy} stays in force",
                        Shown(word)
                    ));
                }
            }
        }
        if unknown {
            return false;
        }
        // Without a word it is the default, which is what the steps are then.
        let more = len.saturating_sub(1);
        self.config.policy = Chain { steps, more };
        true
    }

    fn report(&mut self, value: &[u8], place: Place<'_>) -> bool {
        if value.is_empty() {
            self.config.report = Report::None;
            return true;
        }
        if value == b"stderr" {
            self.config.report = Report::Stderr;
            return true;
        }
        if let Some(number) = value.strip_prefix(b"fd:") {
            let Some(fd) = number_of(number).and_then(|fd| i32::try_from(fd).ok()) else {
                self.say(format_args!(
                    "{place}: \"{}\" names no file descriptor; write fd:3, for example. No \
                     events are written",
                    Shown(value)
                ));
                return false;
            };
            self.config.report = Report::Fd(fd);
            return true;
        }
        let (value, kind) = match value.strip_prefix(b"text:") {
            Some(path) => (path.trim_ascii(), Report::Text),
            None => (value, Report::Path),
        };
        if value.is_empty() {
            self.say(format_args!(
                "{place}: \"text:\" names no file; write text:/dev/termination-log, for example. \
                 Nothing is written"
            ));
            return false;
        }
        // These are links to what the process has open, and no link is followed.
        let open = [
            &b"/dev/stdin"[..],
            b"/dev/stdout",
            b"/dev/stderr",
            b"/dev/fd/",
            b"/proc/self/fd/",
        ];
        if open.iter().any(|link| value.starts_with(link)) {
            self.say(format_args!(
                "{place}: \"{}\" names an open file descriptor: write it as fd:N (standard error's \
                 is fd:2; stderr puts events in the place of the text). No events are written",
                Shown(value)
            ));
            return false;
        }
        // The program may change its folder later; the file stays where it was meant.
        let mut room = [0; PATH];
        let kept = if value.starts_with(b"/") {
            self.config.path.set(&[value])
        } else {
            let cwd = scene::cwd(&mut room);
            if cwd.is_empty() {
                self.config.path.set(&[value])
            } else {
                self.config
                    .path
                    .set(&[cwd.trim_end_matches('/').as_bytes(), b"/", value])
            }
        };
        if !kept {
            self.say(format_args!(
                "{place}: the path is longer than {PATH} bytes; no events are written"
            ));
            return false;
        }
        self.config.report = kind;
        true
    }

    fn trace(&mut self, path: &[u8]) {
        let empty_or_full = path.is_empty() || path.starts_with(b"/");
        if !empty_or_full || !self.config.trace.set(&[path]) {
            self.say(format_args!(
                "FORKGUARD_TRACE: \"{}\" is no full path of at most {PATH} bytes; nothing is traced",
                Shown(path)
            ));
        }
    }

    fn verbose(&mut self, value: &[u8], place: Place<'_>) -> bool {
        if let [digit @ b'0'..=b'2'] = value {
            self.config.verbose = digit - b'0';
            return true;
        }
        let verbose = self.config.verbose;
        self.say(format_args!(
            "{place}: \"{}\" is not 0, 1 or 2; {verbose} stays in force",
            Shown(value)
        ));
        false
    }

    fn template(&mut self, value: &[u8], place: Place<'_>) -> bool {
        let (template, standing) = match (value, self.config.template) {
            (b"0", _) => (Template::Never, ""),
            (b"1", _) => (Template::Always, ""),
            (_, standing @ Template::WhereItPays) => (standing, "a template is kept where it pays"),
            (_, standing @ Template::Always) => (standing, "1 stays in force"),
            (_, standing @ Template::Never) => (standing, "0 stays in force"),
        };
        if !standing.is_empty() {
            self.say(format_args!(
                "{place}: \"{}\" is not 0 or 1; {standing}",
                Shown(value)
            ));
            return false;
        }
        self.config.template = template;
        true
    }

    fn revive(&mut self, value: &[u8], place: Place<'_>) -> bool {
        if !value.is_empty() && value != b"foreign-handles-unused" {
            self.say(format_args!(
                "{place}: \"{}\" is not known here; the one thing that can be said is \
                 foreign-handles-unused",
                Shown(value)
            ));
            return false;
        }
        self.config.foreign_handles_unused = !value.is_empty();
        true
    }

    fn report_argv(&mut self, value: &[u8], place: Place<'_>) -> bool {
        if let [digit @ b'0'..=b'1'] = value {
            self.config.report_argv = *digit == b'1';
            return true;
        }
        let standing = u8::from(self.config.report_argv);
        self.say(format_args!(
            "{place}: \"{}\" is not 0 or 1; {standing} stays in force",
            Shown(value)
        ));
        false
    }

    fn exit_code(&mut self, value: &[u8], place: Place<'_>) -> bool {
        let code = number_of(value).and_then(|code| u8::try_from(code).ok());
        if let Some(code) = code {
            self.config.exit_code = Some(code);
            return true;
        }
        let end = if self.config.exit_code.is_some() {
            "the one set before"
        } else {
            "SIGABRT"
        };
        self.say(format_args!(
            "{place}: \"{}\" is no exit code, which goes from 0 to 255; abort ends with {end}",
            Shown(value)
        ));
        false
    }

    fn exec(&mut self, value: &[u8], place: Place<'_>) -> bool {
        if value.is_empty() || value == b"restart" {
            let restart = !value.is_empty();
            self.config.exec = if restart { Exec::Restart } else { Exec::None };
            return true;
        }
        if let Err(fault) = command::split(value, &mut |_| {}) {
            self.say(format_args!(
                "{place}: \"{}\" cannot be run: {fault}. Nothing is run in the place of a forked \
                 process",
                Shown(value)
            ));
            return false;
        }
        if !self.config.command.set(&[value]) {
            self.say(format_args!(
                "{place}: the command line is longer than {COMMAND} bytes; nothing is run in the \
                 place of a forked process"
            ));
            return false;
        }
        self.config.exec = Exec::Command;
        true
    }

    /// What only shows when everything is read.
    fn finish(&mut self) {
        self.config.locked = self.rank.map(|rank| rank > Rank::Environment);
        if self.config.verbose >= 1
            && self.config.exec != Exec::None
            && self.config.in_place().is_none()
        {
            self.say(format_args!(
                "FORKGUARD_EXEC is set and has no use: it belongs to the policy exec, which \
                 FORKGUARD_POLICY does not come to"
            ));
        }
        if self.config.verbose >= 1 && self.config.foreign_handles_unused && !self.config.revives()
        {
            self.say(format_args!(
                "FORKGUARD_REVIVE is set and has no use: it belongs to the policy revive, which \
                 FORKGUARD_POLICY does not come to"
            ));
        }
    }

    fn ignore(&mut self, value: &[u8], place: Place<'_>) -> bool {
        for word in words(value) {
            let driver = matches!(word, [b'c', b'u', b'A'..=b'Z', ..])
                || word.starts_with(b"cuvid") && word.len() > 5;
            if !driver || !word.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
                self.say(format_args!(
                    "{place}: \"{}\" is no name of a driver function and is passed over",
                    Shown(word)
                ));
            }
        }
        if !self.config.ignore.set(&[value]) {
            self.say(format_args!(
                "{place}: the list is longer than {IGNORE} bytes; no function is ignored"
            ));
            return false;
        }
        true
    }
}

/// What a line that begins with `!` locks.
fn locked(line: &[u8]) -> Option<&[u8]> {
    let rest = line.trim_ascii().strip_prefix(b"!")?;
    Some(rest.trim_ascii())
}

/// The value without the quotes around it; `None` where they do not match.
fn unquote(value: &[u8]) -> Option<&[u8]> {
    match value {
        [quote @ (b'"' | b'\''), rest @ ..] => match rest {
            [inner @ .., last] if last == quote => Some(inner),
            _ => None,
        },
        _ => Some(value),
    }
}

fn number_of(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// The process's variables, as they stand in memory.
#[derive(Clone)]
struct Environment(*const *const c_char);

impl Iterator for Environment {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: the constructor runs before the program has a thread or changes its
        // environment: this is the array that the kernel made, which ends with a null pointer,
        // and we stop there.
        let entry = unsafe { *self.0 };
        if entry.is_null() {
            return None;
        }
        // SAFETY: the null pointer was not reached, so there is a next element.
        self.0 = unsafe { self.0.add(1) };
        // SAFETY: every entry is a NUL-terminated string, which nobody changes while we read.
        Some(unsafe { CStr::from_ptr(entry) })
    }
}

fn environ() -> *const *const c_char {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: libc defines it and sets it before any constructor; it is read only.
    unsafe { environ }
}

/// Why a file was not read.
#[derive(Clone, Copy)]
enum Unreadable {
    Errno(i32),
    NotAFile,
    TooLong,
    Anybodys,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Unreadable::NotAFile => f.write_str("it is not a regular file"),
            Unreadable::TooLong => write!(f, "it is longer than {FILE} bytes"),
            Unreadable::Anybodys => f.write_str("anybody may write to it (chmod o-w)"),
            Unreadable::Errno(libc::ENOENT) => f.write_str("there is no such file"),
            Unreadable::Errno(errno) => write!(f, "{}", sink::Failure::Errno(errno)),
        }
    }
}

/// Reads a regular file of at most [`FILE`] bytes.
fn read<'a>(path: &CStr, into: &'a mut [u8; FILE + 1]) -> Result<&'a [u8], Unreadable> {
    // O_NONBLOCK: a named pipe must not hold up the start of every program.
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
    // SAFETY: the path is NUL-terminated.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    if fd < 0 {
        return Err(Unreadable::Errno(errno()));
    }
    let result = read_fd(fd, into);
    // SAFETY: this function opened the descriptor and gave it to nobody.
    unsafe { libc::close(fd) };
    result.map(|len| &into[..len])
}

fn read_fd(fd: i32, into: &mut [u8; FILE + 1]) -> Result<usize, Unreadable> {
    // SAFETY: `stat` is plain numbers, for which zero is a value; the kernel fills it in.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: fstat writes one `stat` into ours.
    if unsafe { libc::fstat(fd, &raw mut stat) } != 0 {
        return Err(Unreadable::Errno(errno()));
    }
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(Unreadable::NotAFile);
    }
    // What it names may be executed, by whoever runs the program.
    if stat.st_mode & libc::S_IWOTH != 0 {
        return Err(Unreadable::Anybodys);
    }
    let mut len = 0;
    while len < into.len() {
        let room = &mut into[len..];
        // SAFETY: the kernel writes at most `room.len()` bytes into `room`.
        let n = unsafe { libc::read(fd, room.as_mut_ptr().cast(), room.len()) };
        match usize::try_from(n) {
            Ok(0) => return Ok(len),
            Ok(n) => len += n,
            Err(_) if errno() == libc::EINTR => {}
            Err(_) => return Err(Unreadable::Errno(errno())),
        }
    }
    Err(Unreadable::TooLong)
}

fn errno() -> i32 {
    // SAFETY: errno is this thread's own and always there.
    unsafe { *libc::__errno_location() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads from strings; gives the configuration and what was said.
    #[derive(Default)]
    struct Given<'a> {
        etc: Option<&'a [u8]>,
        named: Option<&'a [u8]>,
        environment: &'a [&'a CStr],
    }

    impl Given<'_> {
        fn load(&self) -> (Config, Vec<String>) {
            let mut config = Config::DEFAULT;
            let mut said = Vec::new();
            let mut say = |message: fmt::Arguments<'_>| said.push(message.to_string());
            let mut loader = Loader {
                config: &mut config,
                rank: [Rank::Default; KEYS.len()],
                say: &mut say,
            };
            if let Some(text) = self.etc {
                let only_locked = self.named.is_some();
                loader.file(text, DEFAULT_FILE, File::Default { only_locked });
            }
            if let Some(text) = self.named.filter(|_| !loader.is_locked()) {
                loader.file(text, c"my.conf", File::Named);
            }
            loader.environment(self.environment.iter().copied());
            loader.finish();
            (config, said)
        }
    }

    fn environment(variables: &[&CStr]) -> (Config, Vec<String>) {
        Given {
            environment: variables,
            ..Given::default()
        }
        .load()
    }

    fn file(text: &[u8]) -> (Config, Vec<String>) {
        Given {
            named: Some(text),
            ..Given::default()
        }
        .load()
    }

    #[test]
    fn nothing_set_is_the_default_and_silent() {
        let (config, said) = environment(&[c"PATH=/bin", c"FORKGUARD_POLICY=", c"FORKGUARD_X=1"]);
        assert_eq!(config.policy, Chain::ABORT);
        assert_eq!(
            (config.verbose, config.exit_code, config.report()),
            (0, None, None)
        );
        assert!(!config.plain);
        assert_eq!(said, Vec::<String>::new());
    }

    #[test]
    fn every_variable_is_read() {
        let (config, said) = environment(&[
            c"FORKGUARD_POLICY= warn , abort ",
            c"FORKGUARD_REPORT=/tmp/x.jsonl",
            c"FORKGUARD_VERBOSE=2",
            c"FORKGUARD_EXIT_CODE=66",
            c"FORKGUARD_IGNORE=cuDeviceGetCount, cuMemGetInfo",
        ]);
        assert_eq!(said, Vec::<String>::new());
        assert_eq!(config.policy.first(), Policy::Warn);
        assert_eq!(config.policy.steps().len(), 2);
        assert_eq!(config.report(), Some(Target::Path(c"/tmp/x.jsonl")));
        assert_eq!((config.verbose, config.exit_code), (2, Some(66)));
        assert!(config.ignores(b"cuDeviceGetCount"));
        assert!(config.ignores(b"cuMemGetInfo_v2"));
        assert!(config.ignores(b"cuMemGetInfo_v2_ptds"));
        assert!(!config.ignores(b"cuMemGetInfoX"));
        assert!(!config.ignores(b"cuDeviceGet"));
    }

    #[test]
    fn a_template_is_kept_where_it_pays_always_or_never() {
        for (variables, expected) in [
            (&[][..], Template::WhereItPays),
            (&[c"FORKGUARD_TEMPLATE=1"], Template::Always),
            (&[c"FORKGUARD_TEMPLATE= 0 "], Template::Never),
        ] {
            let (config, said) = environment(variables);
            assert_eq!((config.template, said), (expected, Vec::<String>::new()));
        }
        let (config, said) = environment(&[c"FORKGUARD_TEMPLATE=yes"]);
        assert_eq!(config.template, Template::WhereItPays);
        assert_eq!(
            said,
            ["FORKGUARD_TEMPLATE: \"yes\" is not 0 or 1; a template is kept where it pays"]
        );
    }

    #[test]
    fn the_first_of_a_repeated_variable_counts() {
        let (config, _) = environment(&[c"FORKGUARD_POLICY=off", c"FORKGUARD_POLICY=warn"]);
        assert_eq!(config.policy.first(), Policy::Off);
    }

    #[test]
    fn a_chain_says_who_may_be_asked() {
        for (value, rewrites, revives, first, absent) in [
            (c"FORKGUARD_POLICY=cpu", false, false, false, true),
            (c"FORKGUARD_POLICY=revive", false, true, true, false),
            (c"FORKGUARD_POLICY=exec,revive,cpu", true, true, false, true),
            (
                c"FORKGUARD_POLICY=revive,exec,abort",
                true,
                true,
                true,
                false,
            ),
            (c"FORKGUARD_POLICY=cpu,exec", false, false, false, true),
            (
                c"FORKGUARD_POLICY=abort,exec,revive,cpu",
                false,
                false,
                false,
                false,
            ),
            (c"FORKGUARD_POLICY=exec,off,cpu", true, false, false, false),
        ] {
            let (config, said) = environment(&[value]);
            assert_eq!(said, Vec::<String>::new());
            assert_eq!(
                (
                    config.rewrites(),
                    config.revives(),
                    config.revives_before_exec(),
                    config.may_be_absent()
                ),
                (rewrites, revives, first, absent),
                "{value:?}"
            );
        }
    }

    #[test]
    fn what_revive_may_take_for_granted() {
        let (config, said) = environment(&[
            c"FORKGUARD_POLICY=revive",
            c"FORKGUARD_REVIVE=foreign-handles-unused",
        ]);
        assert!(config.foreign_handles_unused && said.is_empty());
        let (config, said) = environment(&[c"FORKGUARD_REVIVE=yes"]);
        assert!(!config.foreign_handles_unused);
        assert_eq!(
            said,
            [
                "FORKGUARD_REVIVE: \"yes\" is not known here; the one thing that can be said is \
                 foreign-handles-unused"
            ]
        );
        let (_, said) = environment(&[
            c"FORKGUARD_REVIVE=foreign-handles-unused",
            c"FORKGUARD_VERBOSE=1",
        ]);
        assert!(
            said.len() == 1 && said[0].contains("has no use"),
            "{said:#?}"
        );
    }

    #[test]
    fn exec_acts_at_the_fork_and_the_rest_of_the_chain_at_the_use() {
        for (value, at_use) in [
            (c"FORKGUARD_POLICY=exec", Policy::Abort),
            (c"FORKGUARD_POLICY=exec,abort", Policy::Abort),
            (c"FORKGUARD_POLICY=exec,warn", Policy::Warn),
            (c"FORKGUARD_POLICY=exec,off", Policy::Off),
        ] {
            let (config, said) = environment(&[value]);
            assert!(config.rewrites() && !config.is_off() && said.is_empty());
            assert_eq!(config.policy(), at_use);
        }
        let (config, _) = environment(&[c"FORKGUARD_POLICY=warn,exec"]);
        assert!(!config.rewrites());
        let mut room = [0; 64];
        let mut out = Buffer::new(&mut room);
        environment(&[c"FORKGUARD_POLICY=exec, warn"])
            .0
            .put_chain(&mut out);
        assert_eq!(out.finish(), b"exec,warn");
    }

    #[test]
    fn an_unknown_policy_leaves_the_default() {
        let (config, said) = environment(&[c"FORKGUARD_POLICY=off,abrot"]);
        assert_eq!(config.policy, Chain::ABORT);
        assert_eq!(
            said,
            [
                "FORKGUARD_POLICY: there is no policy \"abrot\"; the policies are abort, exec, \
                 cpu, revive, warn and off, and abort stays in force"
            ]
        );
    }

    #[test]
    fn bad_numbers_are_named() {
        let (config, said) = environment(&[
            c"FORKGUARD_VERBOSE=x",
            c"FORKGUARD_EXIT_CODE=300",
            c"FORKGUARD_REPORT=fd:-1",
        ]);
        assert_eq!(
            (config.verbose, config.exit_code, config.report()),
            (0, None, None)
        );
        assert_eq!(said.len(), 3);
        assert!(said[0].contains("\"x\" is not 0, 1 or 2"), "{}", said[0]);
        assert!(said[1].contains("\"300\" is no exit code"), "{}", said[1]);
        assert!(said[2].contains("names no file descriptor"), "{}", said[2]);
    }

    #[test]
    fn reports_may_go_to_a_descriptor_or_stderr() {
        assert_eq!(
            environment(&[c"FORKGUARD_REPORT=fd:7"]).0.report(),
            Some(Target::Fd(7))
        );
        assert_eq!(
            environment(&[c"FORKGUARD_REPORT=stderr"]).0.report(),
            Some(Target::Stderr)
        );
    }

    #[test]
    fn the_text_may_go_to_a_file_in_place_of_events() {
        let (config, said) = environment(&[c"FORKGUARD_REPORT=text:/dev/termination-log"]);
        assert_eq!(config.text_report(), Some(c"/dev/termination-log"));
        assert_eq!((config.report(), said.len()), (None, 0));
        let (config, said) = environment(&[c"FORKGUARD_REPORT=text: "]);
        assert_eq!((config.text_report(), config.report()), (None, None));
        assert!(
            said.len() == 1 && said[0].contains("names no file"),
            "{said:#?}"
        );
        assert_eq!(
            environment(&[c"FORKGUARD_REPORT=/text"]).0.text_report(),
            None
        );
    }

    #[test]
    #[cfg_attr(miri, ignore = "system calls that Miri does not have")]
    fn a_relative_path_is_kept_from_here() {
        let (config, _) = environment(&[c"FORKGUARD_REPORT=events.jsonl"]);
        let expected = std::env::current_dir().unwrap().join("events.jsonl");
        let Some(Target::Path(path)) = config.report() else {
            panic!("no path")
        };
        assert_eq!(path.to_str().unwrap(), expected.to_str().unwrap());
    }

    #[test]
    fn a_link_to_an_open_descriptor_is_written_otherwise() {
        for value in [
            c"FORKGUARD_REPORT=/dev/stderr",
            c"FORKGUARD_REPORT=/proc/self/fd/3",
            c"FORKGUARD_REPORT=/dev/fd/3",
        ] {
            let (config, said) = environment(&[value]);
            assert_eq!(config.report(), None);
            assert!(said.len() == 1 && said[0].contains("fd:N"), "{said:#?}");
        }
        assert!(
            environment(&[c"FORKGUARD_REPORT=/dev/termination-log"])
                .1
                .is_empty()
        );
    }

    #[test]
    fn too_long_a_path_is_no_path() {
        let long = format!("FORKGUARD_REPORT=/{}", "x".repeat(PATH));
        let long = std::ffi::CString::new(long).unwrap();
        let (config, said) = environment(&[&long]);
        assert_eq!(config.report(), None);
        assert_eq!(said.len(), 1);
    }

    #[test]
    fn colour_is_refused_as_usual() {
        assert!(environment(&[c"NO_COLOR=1"]).0.plain);
        assert!(!environment(&[c"NO_COLOR="]).0.plain);
        assert!(environment(&[c"TERM=dumb"]).0.plain);
    }

    #[test]
    fn files_have_comments_spaces_and_quotes() {
        let (config, said) = file(
            b"# forkguard\n\n  FORKGUARD_POLICY = \"warn\"\nFORKGUARD_VERBOSE='1'\n\
              \tFORKGUARD_EXIT_CODE=7",
        );
        assert_eq!(said, Vec::<String>::new());
        assert_eq!(config.policy.first(), Policy::Warn);
        assert_eq!((config.verbose, config.exit_code), (1, Some(7)));
    }

    #[test]
    fn what_a_file_may_not_say_is_named_by_line() {
        let (config, said) = file(
            b"FORKGUARD_POLIC=off\nnonsense\nFORKGUARD_VERBOSE=\"1\nFORKGUARD_CONFIG=x\n\
              FORKGUARD_POLICY=o\0ff\nFORKGUARD_POLICY=off\r\nFORKGUARD_VERBOSE=2\r\n\xff=1\n",
        );
        assert_eq!(config.policy, Chain::ABORT);
        assert_eq!(config.verbose, 0);
        let expected = [
            ("my.conf:1: ", "there is no setting \"FORKGUARD_POLIC\""),
            ("my.conf:2: ", "\"nonsense\" is not of the form KEY=VALUE"),
            ("my.conf:3: ", "the quotes around the value do not match"),
            (
                "my.conf:4: ",
                "FORKGUARD_CONFIG has a meaning in the environment only",
            ),
            ("my.conf:5: ", "NUL byte"),
            ("my.conf:6: ", "carriage return"),
            ("my.conf:8: ", "there is no setting \"?\""),
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (line, (place, what)) in said.iter().zip(expected) {
            assert!(line.starts_with(place) && line.contains(what), "{line}");
        }
    }

    #[test]
    fn the_environment_beats_a_file_but_not_its_locked_lines() {
        let given = Given {
            named: Some(b"FORKGUARD_VERBOSE=1\n!FORKGUARD_POLICY=abort\n"),
            environment: &[c"FORKGUARD_POLICY=off", c"FORKGUARD_VERBOSE=2"],
            ..Given::default()
        };
        let (config, said) = given.load();
        assert_eq!(config.policy.first(), Policy::Abort);
        assert_eq!(config.verbose, 2);
        assert_eq!(said, Vec::<String>::new());
    }

    #[test]
    fn a_named_file_hides_the_default_one_but_not_its_locked_lines() {
        let given = Given {
            etc: Some(b"!FORKGUARD_POLICY=abort\nFORKGUARD_VERBOSE=2\nrubbish\n"),
            named: Some(b"!FORKGUARD_POLICY=off\nFORKGUARD_EXIT_CODE=3\n"),
            environment: &[c"FORKGUARD_POLICY=warn"],
        };
        let (config, said) = given.load();
        assert_eq!(config.policy.first(), Policy::Abort);
        assert_eq!((config.verbose, config.exit_code), (0, Some(3)));
        assert_eq!(said, Vec::<String>::new());
    }

    #[test]
    fn a_locked_policy_takes_with_it_what_would_weaken_it() {
        let weaker: &[&CStr] = &[
            c"FORKGUARD_IGNORE=cuInit",
            c"FORKGUARD_EXEC=true",
            c"FORKGUARD_REVIVE=foreign-handles-unused",
            c"FORKGUARD_VERBOSE=1",
        ];
        let locked = b"!FORKGUARD_POLICY=exec,revive,abort\n";
        let is_held = |config: &Config| {
            config.in_place().is_none()
                && !config.ignores(b"cuInit")
                && !config.foreign_handles_unused
        };
        let given = |etc, named| Given {
            etc,
            named,
            environment: weaker,
        };
        let (config, said) = given(Some(locked), None).load();
        assert!(is_held(&config) && said.is_empty(), "{said:#?}");
        // Everything else stays the environment's.
        assert_eq!(config.verbose, 1);
        // No other file may, by whatever kind of line.
        let other = b"!FORKGUARD_IGNORE=cuInit\nFORKGUARD_EXEC=true\n!FORKGUARD_POLICY=off\n\
                      !FORKGUARD_REVIVE=foreign-handles-unused\n";
        let (config, _) = given(Some(locked), Some(other)).load();
        assert!(is_held(&config) && config.rewrites());
        // The file itself may.
        let same = b"FORKGUARD_IGNORE=cuMemAlloc\n!FORKGUARD_POLICY=abort\n";
        let (config, _) = given(Some(same), None).load();
        assert!(config.ignores(b"cuMemAlloc") && is_held(&config));
        // A policy that is not locked locks nothing.
        let (config, _) = given(Some(b"FORKGUARD_POLICY=exec,revive\n"), None).load();
        assert!(config.ignores(b"cuInit") && config.in_place().is_some());
    }

    #[test]
    fn one_line_locks_everything() {
        for place in ["!*\nFORKGUARD_VERBOSE=1\n", "FORKGUARD_VERBOSE=1\n ! * \n"] {
            let given = Given {
                etc: Some(place.as_bytes()),
                named: Some(b"FORKGUARD_EXIT_CODE=3\nrubbish\n"),
                environment: &[
                    c"FORKGUARD_POLICY=off",
                    c"FORKGUARD_VERBOSE=2",
                    c"FORKGUARD_REPORT=/tmp/events",
                    c"FORKGUARD_REPORT_ARGV=1",
                ],
            };
            let (config, said) = given.load();
            assert_eq!(config.policy, Chain::ABORT);
            assert_eq!((config.verbose, config.exit_code), (1, None));
            assert_eq!((config.report(), config.report_argv), (None, false));
            assert_eq!(said, Vec::<String>::new());
        }
        // In a file that the environment names, it is the environment that is locked out.
        let given = Given {
            etc: Some(b"!FORKGUARD_VERBOSE=1\n"),
            named: Some(b"!*\nFORKGUARD_EXIT_CODE=3\nFORKGUARD_VERBOSE=2\n"),
            environment: &[c"FORKGUARD_POLICY=off"],
        };
        let (config, _) = given.load();
        assert_eq!(config.policy, Chain::ABORT);
        assert_eq!((config.verbose, config.exit_code), (1, Some(3)));
    }

    #[test]
    fn a_locked_line_that_is_not_understood_opens_nothing() {
        for line in [
            "!FORKGUARD_POLICY=abrot",
            "!FORKGUARD_POLIC=abort",
            "!FORKGUARD_POLICY",
            "!FORKGUARD_POLICY=\"abort",
            "!FORKGUARD_POLICY=abort\r",
            "!FORKGUARD_EXEC=a | b",
            "!FORKGUARD_VERBOSE=3",
            "!",
            "! # FORKGUARD_POLICY=abort",
        ] {
            let text = format!("FORKGUARD_EXIT_CODE=3\n{line}\n");
            let given = Given {
                etc: Some(text.as_bytes()),
                named: None,
                environment: &[c"FORKGUARD_POLICY=warn", c"FORKGUARD_IGNORE=cuInit"],
            };
            let (config, said) = given.load();
            assert_eq!(config.policy, Chain::ABORT, "{line}");
            assert!(!config.ignores(b"cuInit"), "{line}");
            assert_eq!(config.exit_code, Some(3));
            assert_eq!(said.len(), 2, "{said:#?}");
            assert!(
                said.iter()
                    .all(|said| said.starts_with("/etc/forkguard.conf:2: "))
            );
            assert!(
                said[1].contains("the environment sets nothing"),
                "{said:#?}"
            );
        }
    }

    #[test]
    fn a_default_file_that_cannot_be_read_opens_nothing() {
        let mut config = Config::DEFAULT;
        let mut said = Vec::new();
        let mut say = |message: fmt::Arguments<'_>| said.push(message.to_string());
        let mut loader = Loader {
            config: &mut config,
            rank: [Rank::Default; KEYS.len()],
            say: &mut say,
        };
        let reason = Unreadable::Errno(libc::EACCES);
        loader.unreadable(DEFAULT_FILE, reason, Rank::LockedDefaultFile);
        assert!(loader.is_locked());
        loader.environment([c"FORKGUARD_POLICY=off"].into_iter());
        assert_eq!(config.policy, Chain::ABORT);
        assert!(
            said.len() == 1 && said[0].contains("permission denied"),
            "{said:#?}"
        );
    }

    #[test]
    fn ignored_names_are_checked() {
        let (config, said) = environment(&[c"FORKGUARD_IGNORE=malloc,cuInit"]);
        assert!(config.ignores(b"cuInit"));
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("\"malloc\" is no name of a driver function"));
    }

    #[test]
    fn what_runs_in_the_place_of_a_fork() {
        for (value, expected) in [
            (c"FORKGUARD_EXEC=restart", Some(InPlace::Restart)),
            (
                c"FORKGUARD_EXEC= python 'my worker.py' ",
                Some(InPlace::Command(b"python 'my worker.py'")),
            ),
            (c"FORKGUARD_EXEC=", None),
            (c"FORKGUARD_EXEC=  ", None),
        ] {
            let (config, said) = environment(&[c"FORKGUARD_POLICY=exec,warn", value]);
            assert_eq!(config.in_place(), expected);
            assert_eq!(said, Vec::<String>::new());
        }
    }

    #[test]
    fn a_command_for_a_shell_is_named_and_not_run() {
        let (config, said) =
            environment(&[c"FORKGUARD_POLICY=exec", c"FORKGUARD_EXEC=python $FILE"]);
        assert_eq!(config.in_place(), None);
        assert_eq!(
            said,
            [
                "FORKGUARD_EXEC: \"python $FILE\" cannot be run: $ is for a shell, and none runs \
                 it: quote it, or write sh -c '…'. Nothing is run in the place of a forked process"
            ]
        );
        let long = format!("FORKGUARD_EXEC=a {}", "x".repeat(COMMAND));
        let long = std::ffi::CString::new(long).unwrap();
        let (config, said) = environment(&[c"FORKGUARD_POLICY=exec", &long]);
        assert_eq!(config.in_place(), None);
        assert!(
            said.len() == 1 && said[0].contains("longer than 4096"),
            "{said:#?}"
        );
    }

    #[test]
    fn a_command_without_its_policy_has_no_use() {
        let (config, said) = environment(&[c"FORKGUARD_EXEC=restart"]);
        assert_eq!((config.in_place(), said.len()), (None, 0));
        let (_, said) = environment(&[c"FORKGUARD_EXEC=restart", c"FORKGUARD_VERBOSE=1"]);
        assert!(
            said.len() == 1 && said[0].contains("has no use"),
            "{said:#?}"
        );
    }

    #[test]
    fn a_commands_own_quotes_in_a_file_stay() {
        for (line, expected) in [
            (&b"FORKGUARD_EXEC=\"python a.py\""[..], &b"python a.py"[..]),
            (b"FORKGUARD_EXEC='a b' c", b"'a b' c"),
            (b"FORKGUARD_EXEC='a b' 'c d'", b"'a b' 'c d'"),
            (b"FORKGUARD_EXEC=\"sh -c 'a b'\"", b"sh -c 'a b'"),
            (b"FORKGUARD_EXEC=a \"b\"", b"a \"b\""),
        ] {
            let text = [b"FORKGUARD_POLICY=exec\n", line].concat();
            let (config, said) = file(&text);
            assert_eq!(
                config.in_place(),
                Some(InPlace::Command(expected)),
                "{said:#?}"
            );
        }
        let locked = Given {
            named: Some(b"!FORKGUARD_EXEC=a\nFORKGUARD_POLICY=exec\n"),
            environment: &[c"FORKGUARD_EXEC=b"],
            ..Given::default()
        };
        assert_eq!(locked.load().0.in_place(), Some(InPlace::Command(b"a")));
    }

    #[test]
    #[cfg_attr(miri, ignore = "system calls that Miri does not have")]
    fn files_are_read_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("forkguard-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut memory: Box<[u8; FILE + 1]> = vec![0; FILE + 1].try_into().unwrap();
        let mut read = |name: &str| {
            let path = folder.join(name);
            let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
            read(&path, &mut memory)
                .map(<[u8]>::to_vec)
                .map_err(|reason| reason.to_string())
        };
        std::fs::write(folder.join("full"), vec![b'#'; FILE]).unwrap();
        std::fs::write(folder.join("long"), vec![b'#'; FILE + 1]).unwrap();
        assert_eq!(read("full").unwrap().len(), FILE);
        assert_eq!(read("long").unwrap_err(), "it is longer than 16384 bytes");
        assert_eq!(read("none").unwrap_err(), "there is no such file");
        assert_eq!(read("").unwrap_err(), "it is not a regular file");
        let pipe = std::ffi::CString::new(folder.join("pipe").to_str().unwrap()).unwrap();
        // SAFETY: the path is NUL-terminated.
        assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
        assert_eq!(read("pipe").unwrap_err(), "it is not a regular file");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
