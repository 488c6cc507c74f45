//! Processes and what happened in them, as a tree: who was forked from whom, and when.
//!
//! A family begins with a process that initialised CUDA. A forked process that became a fresh one,
//! or has a driver of its own, initialises it again and begins another; those are put together.

use std::collections::HashMap;

use super::cause::Class;
use super::group::subject;
use super::words;
use crate::event::{Event, Moment};
use crate::time::Stamp;

/// Processes that are kept.
const LANES: usize = 20_000;
/// Things that happened in a process which are kept.
const MARKS: usize = 24;

/// Something that happened in a process.
#[derive(Clone, Debug)]
pub struct Mark {
    /// What.
    pub class: Class,
    /// When.
    pub at: Stamp,
    /// The cause that tells it, by the number that [`super::group::Groups::add`] gave; the one of
    /// an initialisation may be that of a process that was forked later.
    pub cause: Option<usize>,
}

/// A process.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Its number.
    pub pid: i32,
    /// Its name.
    pub program: String,
    /// The process that it was forked from, by its place in the family.
    pub parent: Option<usize>,
    /// When it was forked; of a family's first, when it initialised CUDA.
    pub begin: Stamp,
    /// When it ended, where that is known.
    pub end: Option<Stamp>,
    /// The last moment at which it is known to have been there.
    pub seen: Stamp,
    /// What happened in it.
    pub marks: Vec<Mark>,
}

/// A process that initialised CUDA, and all that were forked from it; it stands first.
#[derive(Debug, Default)]
pub struct Family {
    /// Its processes, each behind the one that it was forked from.
    pub lanes: Vec<Lane>,
    by_birth: HashMap<(i32, Stamp), usize>,
    latest: HashMap<i32, usize>,
}

/// All families of a file.
#[derive(Debug, Default)]
pub struct Processes {
    families: Vec<Family>,
    by_root: HashMap<(i32, Option<Stamp>), usize>,
    kept: usize,
    /// Processes that were too many to be kept, as often as events named them.
    pub left_out: u64,
}

impl Processes {
    /// Adds what an event tells, which belongs to `cause`.
    pub fn add(&mut self, event: &Event, cause: Option<usize>) {
        let Some(at) = Stamp::parse(&event.time) else {
            return;
        };
        let class = Class::of(event);
        let initialised = event.initialised.as_ref();
        let root = initialised.map_or(event.pid, |moment| moment.pid);
        let since = initialised.and_then(time);
        let family = match self.by_root.get(&(root, since)) {
            Some(&family) => family,
            None if self.kept >= LANES => {
                self.left_out += 1;
                return;
            }
            None => {
                self.families.push(Family::default());
                self.by_root.insert((root, since), self.families.len() - 1);
                self.families.len() - 1
            }
        };
        let left = LANES - self.kept;
        let family = &mut self.families[family];
        let before = family.lanes.len();
        if before + words::steps(event).len() > before + left {
            self.left_out += 1;
            return;
        }
        family.add(event, class, (root, since), at, cause);
        self.kept += family.lanes.len() - before;
    }

    /// The families, the earliest first; those that began in another one are put into it.
    pub fn families(mut self) -> Vec<Family> {
        self.families
            .sort_by_key(|family| family.lanes.first().map(|lane| lane.begin));
        // Processes that may have begun a family of their own.
        let mut renewed: HashMap<i32, Vec<(Stamp, usize, usize)>> = HashMap::new();
        for (number, family) in self.families.iter().enumerate() {
            for (place, lane) in family.lanes.iter().enumerate() {
                let renews = |mark: &Mark| matches!(mark.class, Class::Rewritten | Class::Revived);
                if lane.marks.iter().any(renews) {
                    renewed
                        .entry(lane.pid)
                        .or_default()
                        .push((lane.begin, number, place));
                }
            }
        }
        // From the last to the first: a family that another one is put into is still in its place.
        for number in (1..self.families.len()).rev() {
            let Some(root) = self.families[number].lanes.first() else {
                continue;
            };
            let host = renewed.get(&root.pid).and_then(|lanes| {
                lanes
                    .iter()
                    .filter(|(begin, host, _)| *begin <= root.begin && *host < number)
                    .max()
            });
            if let Some(&(_, host, place)) = host {
                let family = std::mem::take(&mut self.families[number]);
                self.families[host].adopt(family, place);
            }
        }
        self.families.retain(|family| !family.lanes.is_empty());
        self.families
    }
}

impl Family {
    fn add(
        &mut self,
        event: &Event,
        class: Class,
        (root, since): (i32, Option<Stamp>),
        at: Stamp,
        cause: Option<usize>,
    ) {
        let first = self.lane(root, since.unwrap_or(at), None, event);
        if let Some(since) = since {
            self.mark(first, Class::Initialised, since, cause);
        }
        let user = event.used.as_ref().map(|moment| moment.pid);
        let mut place = first;
        let forks = if event.forks.is_empty() {
            event.forked.as_slice()
        } else {
            &event.forks
        };
        for fork in forks {
            // A fork that stayed one has no child yet when it is told.
            let (Some(born), Some(child)) = (time(fork), fork.child.or(event.child).or(user))
            else {
                continue;
            };
            let parent = self.latest.get(&fork.pid).copied().unwrap_or(place);
            place = self.lane(child, born, Some(parent), event);
            self.see(parent, born);
        }
        // A child of a fork that was not seen hangs from the first.
        let subject = subject(event);
        if self.lanes[place].pid != subject {
            place = match self.latest.get(&subject) {
                Some(&place) => place,
                None => self.lane(subject, at, Some(place), event),
            };
        }
        if class == Class::Initialised {
            return;
        }
        self.mark(place, class, at, cause);
        if let Some(parent) = self.lanes[place].parent
            && self.lanes[parent].pid == event.ppid
        {
            self.see(parent, at);
        }
        if class == Class::Violation && event.action != "warn" {
            self.lanes[place].end = Some(at);
        }
    }

    /// The process of this number that began then.
    fn lane(&mut self, pid: i32, begin: Stamp, parent: Option<usize>, event: &Event) -> usize {
        if let Some(&place) = self.by_birth.get(&(pid, begin)) {
            return place;
        }
        self.lanes.push(Lane {
            pid,
            program: words::program(event),
            parent,
            begin,
            end: None,
            seen: begin,
            marks: Vec::new(),
        });
        let place = self.lanes.len() - 1;
        self.by_birth.insert((pid, begin), place);
        self.latest.insert(pid, place);
        place
    }

    /// Notes that a process was there.
    fn see(&mut self, place: usize, at: Stamp) {
        let seen = &mut self.lanes[place].seen;
        *seen = at.max(*seen);
    }

    fn mark(&mut self, place: usize, class: Class, at: Stamp, cause: Option<usize>) {
        self.see(place, at);
        let marks = &mut self.lanes[place].marks;
        if class == Class::Initialised && marks.iter().any(|mark| mark.class == class) {
            return;
        }
        if marks.len() < MARKS {
            marks.push(Mark { class, at, cause });
        }
    }

    /// Takes in the processes of a family whose first one is the process at `place` here.
    fn adopt(&mut self, family: Self, place: usize) {
        let offset = self.lanes.len();
        let moved = |old: usize| {
            if old == 0 { place } else { offset + old - 1 }
        };
        for (old, mut lane) in family.lanes.into_iter().enumerate() {
            if old == 0 {
                self.see(place, lane.seen);
                self.lanes[place].marks.append(&mut lane.marks);
                self.lanes[place].marks.sort_by_key(|mark| mark.at);
            } else {
                lane.parent = lane.parent.map(moved);
                self.lanes.push(lane);
            }
        }
    }
}

fn time(moment: &Moment) -> Option<Stamp> {
    Stamp::parse(&moment.time)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event with the pids and seconds given: who initialised, the fork's child, and when.
    fn event(name: &str, root: (i32, u32), fork: Option<(i32, i32, u32)>, at: u32) -> Event {
        let time = |second: u32| format!("2026-01-01T00:00:{second:02}.000Z");
        let moment = |pid, second| Moment {
            pid,
            time: time(second),
            ..Moment::default()
        };
        let mut event: Event =
            serde_json::from_str(r#"{"schema":1,"event":"","time":"","pid":0}"#).unwrap();
        event.name = name.into();
        event.time = time(at);
        event.pid = fork.map_or(root.0, |(_, child, _)| child);
        event.initialised = Some(moment(root.0, root.1));
        if let Some((parent, child, second)) = fork {
            let mut forked = moment(parent, second);
            forked.child = Some(child);
            event.forks = vec![forked];
            event.used = (name != "rewritten").then(|| moment(child, at));
        }
        if name == "rewritten" {
            event.child = Some(event.pid);
            event.pid = root.0;
        }
        event
    }

    /// A process: its number, the place of its parent, and what happened in it.
    type Told = (i32, Option<usize>, Vec<Class>);

    fn families(events: &[Event]) -> Vec<Vec<Told>> {
        let mut processes = Processes::default();
        for event in events {
            processes.add(event, None);
        }
        processes
            .families()
            .into_iter()
            .map(|family| {
                let told = |lane: &Lane| {
                    let marks = lane.marks.iter().map(|mark| mark.class).collect();
                    (lane.pid, lane.parent, marks)
                };
                family.lanes.iter().map(told).collect()
            })
            .collect()
    }

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let events = [
            event("initialised", (1, 0), None, 0),
            event("violation", (1, 0), Some((1, 7, 2)), 3),
            event("violation", (1, 0), Some((1, 7, 4)), 5),
            event("initialised", (1, 9), None, 9),
        ];
        let used = |parent| (7, Some(parent), vec![Class::Violation]);
        let root = (1, None, vec![Class::Initialised]);
        assert_eq!(
            families(&events),
            [vec![root.clone(), used(0), used(0)], vec![root]]
        );
    }

    #[test]
    fn a_fresh_process_stays_in_its_family() {
        let events = [
            event("initialised", (1, 0), None, 0),
            event("rewritten", (1, 0), Some((1, 7, 2)), 2),
            event("violation", (7, 4), Some((7, 8, 5)), 6),
            event("initialised", (7, 4), None, 4),
        ];
        assert_eq!(
            families(&events),
            [vec![
                (1, None, vec![Class::Initialised]),
                (7, Some(0), vec![Class::Rewritten, Class::Initialised]),
                (8, Some(1), vec![Class::Violation]),
            ]]
        );
    }

    #[test]
    fn events_without_a_time_or_a_fork_do_no_harm() {
        let mut no_time = event("violation", (1, 0), Some((1, 7, 2)), 3);
        no_time.time = "soon".into();
        let mut unseen = event("violation", (1, 0), Some((1, 7, 2)), 3);
        unseen.forks.clear();
        assert_eq!(
            families(&[no_time, unseen]),
            [vec![
                (1, None, vec![Class::Initialised]),
                (7, Some(0), vec![Class::Violation])
            ]]
        );
    }
}
