//! A family's record, kept, with names for what is an address in it.

use forkguard_record::read::Child;
use forkguard_record::{FORK_NATIVE, Forked, Initialised, NATIVE, Snapshot, State, Unreadable};

use super::memory::Copies;
use super::modules::Modules;
use super::proc;

/// A family's record.
pub struct Family {
    /// What the initialiser said of itself.
    pub by: By,
    /// Whether it has a context.
    pub context: bool,
    /// Violations so far, of those that are gone, too.
    pub violations: u32,
    children: Vec<Fork>,
}

/// What a record has as addresses, in processes whose memory looks like one process's.
pub struct Addresses {
    caller: u64,
    initialised: Option<[u64; NATIVE]>,
    forks: Vec<Option<[u64; FORK_NATIVE]>>,
}

/// The names of [`Addresses`], in their order.
pub struct Names {
    library: String,
    initialised: Option<String>,
    forks: Vec<Option<String>>,
}

/// [`Initialised`], kept.
#[derive(Clone)]
pub struct By {
    /// The version of the guard.
    pub version: String,
    /// The process, as its own pid namespace numbers it.
    pub pid: i32,
    /// The thread that called.
    pub tid: i32,
    /// Its name.
    pub thread: String,
    /// When, in nanoseconds since the epoch.
    pub unix_ns: u64,
    boot_ns: u64,
    namespace: u64,
    /// The function that initialised.
    pub function: String,
    /// The library through which it was called; empty where it is unknown.
    pub library: String,
    /// The policies.
    pub policy: String,
    /// Where, a frame each, the program's own innermost one first.
    pub place: Vec<String>,
    caller: u64,
    native: [u64; NATIVE],
}

/// [`Child`], kept.
#[derive(Clone)]
pub struct Fork {
    inner: i32,
    outer: i32,
    /// Its parent, as that one's pid namespace numbers it; 0 where the fork was not seen.
    pub parent: i32,
    /// When, in nanoseconds since the epoch.
    pub unix_ns: u64,
    after_ns: u64,
    before_ns: u64,
    /// The function that forked; empty where the fork was not seen.
    pub function: String,
    /// Where, a frame each, the program's own innermost one first.
    pub place: Vec<String>,
    /// What it did with CUDA.
    pub state: State,
    /// Its violations.
    pub violations: u32,
    native: [u64; FORK_NATIVE],
}

impl By {
    fn of(by: &Initialised<'_>) -> Self {
        Self {
            version: by.version.to_owned(),
            pid: by.pid,
            tid: by.tid,
            thread: by.thread.to_owned(),
            unix_ns: by.unix_ns,
            boot_ns: by.boot_ns,
            namespace: by.namespace,
            function: by.function.to_owned(),
            library: String::new(),
            caller: by.caller,
            native: by.native,
            policy: by.policy.to_owned(),
            place: frames(by.place),
        }
    }
}

impl Fork {
    fn of(child: &Child<'_>) -> Self {
        let Forked {
            parent,
            unix_ns,
            after_ns,
            function,
            place,
            native,
        } = child.forked;
        Self {
            inner: child.pid,
            outer: child.outer,
            parent,
            unix_ns,
            after_ns,
            before_ns: child.before_ns,
            function: function.to_owned(),
            place: frames(place),
            state: child.state,
            violations: child.violations,
            native,
        }
    }

    /// A number that the process which it made has, here or in its own pid namespace; 0 where none is
    /// known.
    pub fn number(&self) -> i32 {
        if self.inner == 0 {
            self.outer
        } else {
            self.inner
        }
    }

    /// Whether it made this process: its number may have been another one's before, and may be
    /// another one's in another pid namespace. What is 0 is not known.
    pub fn made(&self, process: &proc::Process) -> bool {
        let began = process.began_ns;
        let known = |number: i32| number != 0;
        (known(self.inner) || known(self.outer))
            && (!known(self.inner) || self.inner == process.inner)
            && (!known(self.outer) || process.numbers.contains(&self.outer))
            && (self.before_ns == 0 || began <= self.before_ns)
            && began.saturating_add(proc::tick()) >= self.after_ns
    }
}

fn frames(place: &str) -> Vec<String> {
    place.lines().map(str::to_owned).collect()
}

impl Family {
    /// Of a record's bytes, or why there is none.
    pub fn read(copies: &Copies) -> Result<Self, String> {
        Snapshot::new(&copies.0, &copies.1)
            .map(|record| Self::of(&record))
            .map_err(refusal)
    }

    fn of(record: &Snapshot<'_>) -> Self {
        Self {
            by: By::of(&record.initialised()),
            context: record.has_context(),
            violations: record.violations(),
            children: record.children().map(|child| Fork::of(&child)).collect(),
        }
    }

    /// What is to be named. A place that Python has named is known.
    pub fn addresses(&self) -> Addresses {
        let initialised = self.by.place.is_empty().then_some(self.by.native);
        let of = |fork: &Fork| fork.place.is_empty().then_some(fork.native);
        Addresses {
            caller: self.by.caller,
            initialised,
            forks: self.children.iter().map(of).collect(),
        }
    }

    /// Takes the names of its addresses.
    pub fn name(&mut self, names: Names) {
        self.by.library = names.library;
        self.by.place.extend(names.initialised);
        for (fork, place) in self.children.iter_mut().zip(names.forks) {
            fork.place.extend(place);
        }
    }

    /// Whether this process initialised CUDA.
    pub fn begins_with(&self, process: &proc::Process) -> bool {
        self.by.pid == process.inner
            && process.began_ns <= self.by.boot_ns
            && self.is_of_its_namespace(process) != Some(false)
    }

    /// The fork that made the process, if it is one of the family's that are recorded.
    pub fn fork_of(&self, process: &proc::Process) -> Option<&Fork> {
        self.children.iter().find(|fork| fork.made(process))
    }

    /// The forks of its processes that have a driver of their own.
    pub fn revived(&self) -> impl Iterator<Item = &Fork> {
        let all = self.children.iter();
        all.filter(|fork| fork.state == State::Revived)
    }

    /// Whether the process's number is of the pid namespace in which CUDA was initialised, if that can
    /// be told.
    fn is_of_its_namespace(&self, process: &proc::Process) -> Option<bool> {
        let known = Some(self.by.namespace).filter(|&inode| inode != 0);
        Some(process.namespace? == known?)
    }
}

impl Addresses {
    /// Their names in a process that these are the modules of.
    pub fn named(&self, modules: &Modules) -> Names {
        let library = modules.library(self.caller).unwrap_or_default();
        let initialised = self.initialised.as_ref();
        let forks = self.forks.iter();
        Names {
            library: library.to_owned(),
            initialised: initialised.and_then(|native| modules.place(native)),
            forks: forks
                .map(|native| modules.place(native.as_ref()?))
                .collect(),
        }
    }
}

/// Why the bytes are no record.
fn refusal(why: Unreadable) -> String {
    match why {
        Unreadable::Foreign | Unreadable::Short => "what it has is no record of forkguard's".into(),
        Unreadable::Unfinished => "its record is not finished".into(),
        Unreadable::Layout(layout) => {
            format!("its record is another version's of forkguard (layout {layout})")
        }
    }
}
