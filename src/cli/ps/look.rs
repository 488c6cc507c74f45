//! Who is there: every process that has a record of the guard's, with its part of it.

#[cfg(any(test, fuzzing))]
pub mod fuzz;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use forkguard_record::read::Child;
use forkguard_record::{FORK_NATIVE, Forked, Initialised, NATIVE, Snapshot, State, Unreadable};

use super::memory::{self, Copies, Hidden, Identity, Place};
use super::modules::Modules;
use super::proc::{self, Patience};
use crate::trouble::{Trouble, reason};

/// The families' records, or why there are none.
type Families = HashMap<Identity, Result<Rc<Family>, String>>;

/// What was seen.
pub struct Seen {
    /// The processes, by their numbers.
    pub processes: BTreeMap<i32, Process>,
    /// How many could not be looked at, being somebody else's.
    pub denied: usize,
    /// Whether there may be others', of which not even the numbers are shown.
    pub hidden: bool,
}

/// A process that initialised CUDA, or was forked from one that had.
pub struct Process {
    /// Its number here.
    pub pid: i32,
    /// Which of the processes seen it is shown under.
    pub parent: Option<i32>,
    /// Its number in its own pid namespace.
    pub inner: i32,
    /// Whose it is.
    pub uid: u32,
    /// The user's name.
    pub user: String,
    /// The words it was started with.
    pub command: String,
    /// The directory it works in.
    pub directory: Option<String>,
    /// Which family it is of.
    pub family: Identity,
    /// What it is in its family.
    pub part: Part,
}

/// What a process is in its family.
pub enum Part {
    /// It initialised CUDA.
    Initialiser {
        /// The record, of the whole family.
        record: Rc<Family>,
        /// In a process that had been forked from another one that had: by which fork.
        revived: Option<Fork>,
    },
    /// It was forked from one that had.
    Forked {
        /// The record, of the whole family.
        record: Rc<Family>,
        /// By which fork; `None` where that was not seen, or is not recorded.
        fork: Option<Fork>,
    },
    /// It has a record that cannot be read, for this reason.
    Unknown(String),
}

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

    /// Whether it made this process: its number may have been another one's before, and may be
    /// another one's in another pid namespace. What is 0 is not known.
    fn made(&self, process: &proc::Process) -> bool {
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
    fn of(record: &Snapshot<'_>) -> Self {
        Self {
            by: By::of(&record.initialised()),
            context: record.has_context(),
            violations: record.violations(),
            children: record.children().map(|child| Fork::of(&child)).collect(),
        }
    }

    /// Gives names to what is recorded as addresses in processes whose memory looks like this one's.
    fn name(&mut self, modules: &Modules) {
        let library = modules.library(self.by.caller).unwrap_or_default();
        library.clone_into(&mut self.by.library);
        if self.by.place.is_empty() {
            self.by.place.extend(modules.place(&self.by.native));
        }
        for fork in &mut self.children {
            if fork.place.is_empty() {
                fork.place.extend(modules.place(&fork.native));
            }
        }
    }

    /// Whether this process initialised CUDA.
    fn begins_with(&self, process: &proc::Process) -> bool {
        self.by.pid == process.inner
            && process.began_ns <= self.by.boot_ns
            && self.is_of_its_namespace(process) != Some(false)
    }

    fn fork_of(&self, process: &proc::Process) -> Option<&Fork> {
        self.children.iter().find(|fork| fork.made(process))
    }

    /// Whether the process's number is of the pid namespace in which CUDA was initialised, if that can
    /// be told.
    fn is_of_its_namespace(&self, process: &proc::Process) -> Option<bool> {
        let known = Some(self.by.namespace).filter(|&inode| inode != 0);
        Some(process.namespace? == known?)
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

/// Looks at all processes that may be seen.
pub fn around() -> Result<Seen, Trouble> {
    let pids = proc::pids().map_err(|error| {
        let why = reason(&error);
        Trouble::new(1, format!("/proc cannot be read ({why}): mount it"))
    })?;
    if pids.is_empty() {
        return Err(Trouble::new(
            1,
            "no process can be looked at: /proc is not mounted",
        ));
    }
    let patience = Patience::new();
    let mut denied = 0;
    let mut found = Vec::new();
    for process in pids.into_iter().filter_map(proc::process) {
        match memory::files(process.pid, &patience) {
            Ok(files) if files.is_empty() => {}
            Ok(files) => found.push((process, files)),
            Err(Hidden::Denied) => denied += 1,
            Err(Hidden::Gone) => {}
        }
    }
    let mut families: HashMap<Identity, Option<Copies>> = HashMap::new();
    for (process, files) in &found {
        for (file, place) in files {
            let family = families.entry(*file).or_default();
            if family.is_none() {
                *family = memory::read(process.pid, place, &patience);
            }
        }
    }
    let families: Families = families
        .into_iter()
        .map(|(file, copies)| {
            let family = family(copies.as_ref()).map(|mut family| {
                let members = || found.iter().filter(|(_, files)| has(files, file));
                let begun = members().find(|(process, _)| family.begins_with(process));
                if let Some((process, _)) = begun.or_else(|| members().next()) {
                    family.name(&Modules::of(process.pid, &patience));
                }
                Rc::new(family)
            });
            (file, family)
        })
        .collect();

    let mut users = HashMap::new();
    let mut processes = BTreeMap::new();
    let mut parents = HashMap::new();
    for (process, files) in &found {
        let Some((family, part)) = part(process, files.iter().map(|(file, _)| *file), &families)
        else {
            continue;
        };
        let user = users
            .entry(process.uid)
            .or_insert_with(|| proc::user(process.uid));
        parents.insert(process.pid, process.parent);
        processes.insert(
            process.pid,
            Process {
                pid: process.pid,
                parent: None,
                inner: process.inner,
                uid: process.uid,
                user: user.clone(),
                command: proc::command(process, &patience),
                directory: proc::directory(process.pid),
                family,
                part,
            },
        );
    }
    let mut seen = Seen {
        processes,
        denied,
        hidden: proc::hides_others(),
    };
    seen.place_all(&parents);
    Ok(seen)
}

fn has(files: &[(Identity, Place)], family: Identity) -> bool {
    files.iter().any(|(file, _)| *file == family)
}

fn family(copies: Option<&Copies>) -> Result<Family, String> {
    let (first, second) = copies.ok_or_else(|| "its record may not be read".to_owned())?;
    Snapshot::new(first, second)
        .map(|record| Family::of(&record))
        .map_err(refusal)
}

/// What the process is, of the families whose records it has: that which it began, else that of which
/// it is known to be, else the first.
fn part(
    process: &proc::Process,
    files: impl Iterator<Item = Identity>,
    families: &Families,
) -> Option<(Identity, Part)> {
    let mut parts: Vec<(u8, Identity, Part)> = files
        .filter_map(|file| {
            let (rank, part) = match families.get(&file)? {
                Ok(record) if record.begins_with(process) => {
                    let record = Rc::clone(record);
                    let forks = families.values().flatten();
                    let revived = forks
                        .filter_map(|family| family.fork_of(process))
                        .find(|fork| fork.state == State::Revived)
                        .cloned();
                    (0, Part::Initialiser { record, revived })
                }
                Ok(record) => {
                    let fork = record.fork_of(process).cloned();
                    let rank = if fork.is_some() { 1 } else { 2 };
                    let record = Rc::clone(record);
                    (rank, Part::Forked { record, fork })
                }
                Err(why) => (3, Part::Unknown(why.clone())),
            };
            Some((rank, file, part))
        })
        .collect();
    parts.sort_by_key(|(rank, ..)| *rank);
    let (_, file, part) = parts.into_iter().next()?;
    Some((file, part))
}

impl Seen {
    /// Finds under which process each is to be shown: its parent, if that is one of them; else, the
    /// parent being gone, the one that forked it, or the one that its family began with.
    fn place_all(&mut self, parents: &HashMap<i32, i32>) {
        let pids: Vec<i32> = self.processes.keys().copied().collect();
        for pid in pids {
            let actual = parents.get(&pid).copied();
            let actual = actual.filter(|parent| self.processes.contains_key(parent));
            let parent = actual.or_else(|| self.forked_by(pid));
            // What is recorded may say that two processes forked each other.
            let parent = parent.filter(|&parent| !self.is_under(parent, pid));
            if let Some(process) = self.processes.get_mut(&pid) {
                process.parent = parent;
            }
        }
    }

    fn forked_by(&self, pid: i32) -> Option<i32> {
        let process = self.processes.get(&pid)?;
        let Part::Forked { fork, .. } = &process.part else {
            return None;
        };
        let others = || {
            let all = self.processes.values();
            all.filter(|other| other.family == process.family && other.pid != pid)
        };
        let by_number = fork
            .as_ref()
            .and_then(|fork| others().find(|other| other.inner == fork.parent));
        let begun = || others().find(|other| matches!(other.part, Part::Initialiser { .. }));
        by_number.or_else(begun).map(|other| other.pid)
    }

    fn is_under(&self, pid: i32, other: i32) -> bool {
        let mut at = Some(pid);
        let mut passed = HashSet::new();
        while let Some(pid) = at.filter(|&pid| passed.insert(pid)) {
            if pid == other {
                return true;
            }
            at = self.processes.get(&pid).and_then(|process| process.parent);
        }
        false
    }

    /// Those that are shown under this one, or, of `None`, at the top.
    pub fn under(&self, parent: Option<i32>) -> impl Iterator<Item = &Process> {
        let all = self.processes.values();
        all.filter(move |process| process.parent == parent)
    }

    /// Violations of the family's processes that are gone.
    pub fn violations_of_the_gone(&self, family: Identity, record: &Family) -> u32 {
        let here = self.processes.values().filter_map(|process| {
            let same = process.family == family;
            match &process.part {
                Part::Forked { fork, .. } if same => fork.as_ref().map(|fork| fork.violations),
                _ => None,
            }
        });
        here.fold(record.violations, u32::saturating_sub)
    }
}
