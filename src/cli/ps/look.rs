//! Who is there: every process that has a record of the guard's, with its part of it.
//!
//! There may be ten thousand of them. Everything is asked of all of them at once, by several threads,
//! and nothing is done for each process with all others.

#[cfg(any(test, fuzzing))]
pub mod fuzz;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::family::{Family, Fork};
use super::memory::{self, Hidden, Identity, Place};
use super::modules::Modules;
use super::patience::Patience;
use super::proc;
use super::tree::Tree;
use crate::trouble::{Trouble, reason};

/// The families' records, or why there are none.
type Families = HashMap<Identity, Result<Rc<Family>, String>>;

/// What was seen.
pub struct Seen {
    /// The processes, by their numbers.
    pub processes: BTreeMap<i32, Process>,
    /// Which of them is shown under which.
    pub tree: Tree,
    /// How many could not be looked at, being somebody else's.
    pub denied: usize,
    /// Whether there may be others', of which not even the numbers are shown.
    pub hidden: bool,
}

/// A process that initialised CUDA, or was forked from one that had.
pub struct Process {
    /// Its number here.
    pub pid: i32,
    /// Its number in its own pid namespace.
    pub inner: i32,
    /// Whose it is.
    pub uid: u32,
    /// The user's name.
    pub user: Rc<str>,
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

/// A process that has files of the record's name.
struct Holder {
    process: proc::Process,
    directory: Option<String>,
    files: Vec<(Identity, Place)>,
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
    let (holders, denied) = holders(pids, &patience);
    let families = families(&holders, &patience);
    let pids = holders.iter().map(|holder| holder.process.pid).collect();
    let commands = patience.each(pids, |&pid| proc::words(pid));
    let revived = revived(&families);

    let mut users: HashMap<u32, Rc<str>> = HashMap::new();
    let mut processes = BTreeMap::new();
    let mut parents = HashMap::new();
    for (holder, command) in holders.into_iter().zip(commands) {
        let Some((family, part)) = part(&holder, &families, &revived) else {
            continue;
        };
        let Holder {
            process, directory, ..
        } = holder;
        let user = users.entry(process.uid);
        let user = user.or_insert_with(|| proc::user(process.uid).into());
        parents.insert(process.pid, process.parent);
        processes.insert(
            process.pid,
            Process {
                pid: process.pid,
                inner: process.inner,
                uid: process.uid,
                user: Rc::clone(user),
                command: command.unwrap_or_else(|| format!("[{}]", process.name)),
                directory,
                family,
                part,
            },
        );
    }
    Ok(Seen {
        tree: Tree::of(&processes, &parents),
        processes,
        denied,
        hidden: proc::hides_others(),
    })
}

/// The processes that have files of the record's name, and how many could not be asked.
fn holders(pids: Vec<i32>, patience: &Patience) -> (Vec<Holder>, usize) {
    let endless = Patience::endless();
    let open = endless.each(pids.clone(), |&pid| Some(memory::open(pid)));
    let mut denied = 0;
    let mut found = Vec::new();
    let mut others = Vec::new();
    for (pid, files) in pids.into_iter().zip(open) {
        match files {
            Some(Ok(files)) if files.is_empty() => others.push(pid),
            Some(Ok(files)) => found.push((pid, files)),
            // What has ended belongs to nobody, and has nothing.
            Some(Err(Hidden::Denied)) => denied += usize::from(proc::process(pid).is_some()),
            Some(Err(Hidden::Gone)) | None => {}
        }
    }
    let mapped = patience.each(others.clone(), |&pid| Some(memory::mapped(pid)));
    let mapped = others
        .into_iter()
        .zip(mapped.into_iter().map(Option::unwrap_or_default));
    found.extend(mapped.filter(|(_, files)| !files.is_empty()));
    found.sort_unstable_by_key(|(pid, _)| *pid);

    let pids = found.iter().map(|(pid, _)| *pid).collect();
    let known = endless.each(pids, |&pid| {
        Some((proc::process(pid)?, proc::directory(pid)))
    });
    let holder = |((_, files), known): ((i32, Vec<_>), Option<_>)| {
        let (process, directory) = known?;
        Some(Holder {
            process,
            directory,
            files,
        })
    };
    let holders = found.into_iter().zip(known).filter_map(holder).collect();
    (holders, denied)
}

/// The records that they hold.
fn families(holders: &[Holder], patience: &Patience) -> Families {
    let mut members: HashMap<Identity, Vec<(&proc::Process, Place)>> = HashMap::new();
    for Holder { process, files, .. } in holders {
        for &(file, place) in files {
            members.entry(file).or_default().push((process, place));
        }
    }
    let mut read: HashMap<Identity, Result<Family, String>> = HashMap::new();
    // Of each family its first process is asked, and, where that has no answer, its next one.
    for turn in 0.. {
        let asked: Vec<(Identity, i32, Place)> = members
            .iter()
            .filter(|(file, _)| !read.contains_key(file))
            .filter_map(|(file, members)| members.get(turn).map(|member| (file, member)))
            .map(|(file, (process, place))| (*file, process.pid, *place))
            .collect();
        if asked.is_empty() {
            break;
        }
        let answers = patience.each(asked.clone(), |&(_, pid, place)| {
            memory::read(pid, place).map(|copies| Family::read(&copies))
        });
        let answers = asked.iter().zip(answers);
        read.extend(answers.filter_map(|((file, ..), answer)| Some((*file, answer?))));
    }
    let mut readable: Vec<(Identity, Family, i32)> = Vec::new();
    let mut families = Families::new();
    for (file, members) in members {
        let family = read.remove(&file);
        match family.unwrap_or_else(|| Err("its record may not be read".to_owned())) {
            Ok(family) => {
                let mut all = members.iter();
                let begun = all.find(|(process, _)| family.begins_with(process));
                if let Some((process, _)) = begun.or_else(|| members.first()) {
                    readable.push((file, family, process.pid));
                }
            }
            Err(why) => {
                families.insert(file, Err(why));
            }
        }
    }
    let addresses = readable
        .iter()
        .map(|(_, family, pid)| (family.addresses(), *pid));
    let names = patience.each(addresses.collect(), |(addresses, pid)| {
        Some(addresses.named(&Modules::of(*pid)))
    });
    families.extend(
        readable
            .into_iter()
            .zip(names)
            .map(|((file, mut family, _), names)| {
                if let Some(names) = names {
                    family.name(names);
                }
                (file, Ok(Rc::new(family)))
            }),
    );
    families
}

/// The forks of processes that have a driver of their own, by a number of the process.
fn revived(families: &Families) -> HashMap<i32, Vec<&Fork>> {
    let mut revived: HashMap<i32, Vec<&Fork>> = HashMap::new();
    for fork in families
        .values()
        .flatten()
        .flat_map(|family| family.revived())
    {
        revived.entry(fork.number()).or_default().push(fork);
    }
    revived
}

/// What the process is, of the families whose records it has: that which it began, else that of which
/// it is known to be, else the first.
fn part(
    holder: &Holder,
    families: &Families,
    revived: &HashMap<i32, Vec<&Fork>>,
) -> Option<(Identity, Part)> {
    let process = &holder.process;
    let mut parts: Vec<(u8, Identity, Part)> = holder
        .files
        .iter()
        .filter_map(|&(file, _)| {
            let (rank, part) = match families.get(&file)? {
                Ok(record) if record.begins_with(process) => {
                    let record = Rc::clone(record);
                    let mut numbers = process.numbers.iter().chain([&process.inner]);
                    let revived = numbers
                        .find_map(|number| {
                            let mut forks = revived.get(number)?.iter();
                            forks.find(|fork| fork.made(process))
                        })
                        .map(|fork| Fork::clone(fork));
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
