//! Events of one cause, as one: of a file of millions only these are kept, each with one event as
//! its example.

use std::collections::{HashMap, HashSet};

use super::cause::{self, Class};
use crate::event::Event;
use crate::time::Stamp;

/// Causes that are kept; a program has a handful.
const CAUSES: usize = 1000;
/// Bytes of the lines whose events are kept as examples: those of a thousand real causes.
const KEPT: usize = 64 << 20;
/// Processes of one cause that are counted exactly.
const COUNTED: usize = 200_000;
/// Processes that are named.
pub const NAMED: usize = 10;

/// Events of one cause.
pub struct Group {
    /// What they amount to.
    pub class: Class,
    /// The first of them.
    pub example: Event,
    /// Where CUDA was initialised.
    pub initialisation: String,
    /// How many events there were.
    pub events: u64,
    /// The processes that it happened to, in the order of their events; the first of them.
    pub pids: Vec<i32>,
    /// How many processes there were.
    pub processes: usize,
    /// When the first and the last were; an event's time may be unreadable.
    pub times: Option<(Stamp, Stamp)>,
    seen: HashSet<(i32, Option<Stamp>)>,
}

/// All causes of a file, in the order in which they came.
#[derive(Default)]
pub struct Groups {
    all: Vec<Group>,
    by_cause: HashMap<String, usize>,
    kept: usize,
    /// Events of causes that were too many to be kept.
    pub left_out: u64,
    /// Events that the guard itself left out when it wrote the file, …
    pub suppressed: u64,
    /// … and that it could not write.
    pub lost: u64,
}

impl Groups {
    /// Adds an event from a line of `size` bytes, and answers which cause it belongs to.
    pub fn add(&mut self, event: &Event, size: usize) -> Option<usize> {
        self.suppressed = self.suppressed.saturating_add(event.suppressed);
        self.lost = self.lost.saturating_add(event.lost);
        let cause = cause::of(event);
        let index = match self.by_cause.get(&cause) {
            Some(&index) => index,
            None if self.all.len() >= CAUSES || self.kept + size > KEPT => {
                self.left_out += 1;
                return None;
            }
            None => {
                self.kept += size;
                self.all.push(Group::new(event));
                self.by_cause.insert(cause, self.all.len() - 1);
                self.all.len() - 1
            }
        };
        self.all[index].count(event);
        Some(index)
    }

    /// The causes, the most urgent first, of those the most frequent, of those the earliest; each
    /// with the number that [`Groups::add`] gave it.
    pub fn sorted(self) -> Vec<(usize, Group)> {
        let mut groups: Vec<_> = self.all.into_iter().enumerate().collect();
        groups.sort_by_key(|(index, group)| {
            (
                group.class,
                std::cmp::Reverse(group.processes),
                group.times.map(|(first, _)| first),
                *index,
            )
        });
        groups
    }
}

impl Group {
    fn new(event: &Event) -> Self {
        Self {
            class: Class::of(event),
            initialisation: cause::of_initialisation(event),
            example: event.clone(),
            events: 0,
            pids: Vec::new(),
            processes: 0,
            times: None,
            seen: HashSet::new(),
        }
    }

    fn count(&mut self, event: &Event) {
        self.events += 1;
        if let Some(at) = Stamp::parse(&event.time) {
            let (first, last) = self.times.unwrap_or((at, at));
            self.times = Some((first.min(at), last.max(at)));
        }
        let pid = subject(event);
        // A number is given to another process later: the fork tells them apart.
        let born = event
            .forked
            .as_ref()
            .and_then(|fork| Stamp::parse(&fork.time));
        if self.seen.len() >= COUNTED || self.seen.insert((pid, born)) {
            self.processes += 1;
            if self.pids.len() < NAMED {
                self.pids.push(pid);
            }
        }
    }
}

/// The process that an event is about: of a fork that was rewritten, the one that was made.
pub fn subject(event: &Event) -> i32 {
    event.child.unwrap_or(event.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A violation with its pid, the second of its fork, and the line that used CUDA.
    fn event(pid: i32, forked: u32, line: u32) -> Event {
        let text = format!(
            r#"{{"schema":1,"event":"violation","time":"2026-01-01T00:00:09.000Z","pid":{pid},
                "forked":{{"time":"2026-01-01T00:00:0{forked}.000Z"}},
                "used":{{"python":[{{"file":"a.py","line":{line},"own":true}}]}}}}"#
        );
        serde_json::from_str(&text).expect("an event")
    }

    #[test]
    fn processes_are_counted_once() {
        let mut groups = Groups::default();
        for (pid, forked) in [(1, 1), (1, 1), (2, 1), (1, 5)] {
            assert_eq!(groups.add(&event(pid, forked, 3), 1), Some(0));
        }
        let groups = groups.sorted();
        let [(0, group)] = groups.as_slice() else {
            panic!("{} causes", groups.len())
        };
        assert_eq!((group.events, group.processes), (4, 3));
        assert_eq!(group.pids, [1, 2, 1]);
    }

    #[test]
    fn a_file_of_nothing_but_causes_takes_no_more_than_its_share() {
        let mut groups = Groups::default();
        for line in 0..CAUSES as u32 + 5 {
            groups.add(&event(1, 1, line), 1);
        }
        assert_eq!(groups.left_out, 5);
        assert_eq!(groups.sorted().len(), CAUSES);

        let mut groups = Groups::default();
        for line in 0..5 {
            groups.add(&event(1, 1, line), KEPT / 2);
        }
        assert_eq!(groups.left_out, 3);
        // What is known already is counted all the same.
        assert_eq!(groups.add(&event(2, 1, 0), KEPT), Some(0));
    }
}
