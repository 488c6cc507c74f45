//! Under which process each is shown: its parent, if that is one of those seen; else, the parent being
//! gone, the one that forked it, or the one that its family began with.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::look::{Part, Process};
use super::memory::Identity;

/// Who is shown under whom, and what is known of families as a whole.
#[derive(Default)]
pub struct Tree {
    parents: HashMap<i32, i32>,
    /// Of each process those under it, by their numbers; of `None` those at the top.
    under: HashMap<Option<i32>, Vec<i32>>,
    /// Violations of the families' processes that are here.
    violations: HashMap<Identity, u32>,
}

/// A family's processes that others may be shown under.
#[derive(Default)]
struct Members {
    /// By the numbers that they have in their own pid namespaces; of several the first.
    by_number: HashMap<i32, i32>,
    begun: Option<i32>,
}

impl Tree {
    /// Of these processes, whose parents' numbers are these.
    pub fn of(processes: &BTreeMap<i32, Process>, parents: &HashMap<i32, i32>) -> Self {
        let mut families: HashMap<Identity, Members> = HashMap::new();
        let mut tree = Self::default();
        for process in processes.values() {
            let family = families.entry(process.family).or_default();
            family.by_number.entry(process.inner).or_insert(process.pid);
            match &process.part {
                Part::Initialiser { .. } => {
                    family.begun.get_or_insert(process.pid);
                }
                Part::Forked { fork, .. } => {
                    let own = fork.as_ref().map_or(0, |fork| fork.violations);
                    let all = tree.violations.entry(process.family).or_default();
                    *all = all.saturating_add(own);
                }
                Part::Unknown(_) => {}
            }
        }
        for process in processes.values() {
            let pid = process.pid;
            let actual = parents.get(&pid).copied();
            let actual = actual.filter(|parent| processes.contains_key(parent));
            let parent = actual.or_else(|| forked_by(process, families.get(&process.family)?));
            tree.parents.extend(parent.map(|parent| (pid, parent)));
        }
        tree.break_circles(processes.keys().copied());
        for &pid in processes.keys() {
            tree.under.entry(tree.parent(pid)).or_default().push(pid);
        }
        tree
    }

    /// What is recorded may say that processes forked each other: of each circle one stands at the top.
    fn break_circles(&mut self, pids: impl Iterator<Item = i32>) {
        let mut led_to_the_top = HashSet::new();
        for pid in pids {
            let mut passed = HashSet::new();
            let mut at = pid;
            while !led_to_the_top.contains(&at) && passed.insert(at) {
                let Some(&parent) = self.parents.get(&at) else {
                    break;
                };
                if passed.contains(&parent) {
                    self.parents.remove(&at);
                    break;
                }
                at = parent;
            }
            led_to_the_top.extend(passed);
        }
    }

    /// The process that this one is shown under.
    pub fn parent(&self, pid: i32) -> Option<i32> {
        self.parents.get(&pid).copied()
    }

    /// Those that are shown under this one, or, of `None`, at the top.
    pub fn under(&self, parent: Option<i32>) -> &[i32] {
        self.under.get(&parent).map_or(&[], Vec::as_slice)
    }

    /// Of so many violations of the family those of processes that are gone.
    pub fn violations_of_the_gone(&self, family: Identity, all: u32) -> u32 {
        all.saturating_sub(self.violations.get(&family).copied().unwrap_or_default())
    }
}

fn forked_by(process: &Process, family: &Members) -> Option<i32> {
    let Part::Forked { fork, .. } = &process.part else {
        return None;
    };
    let by_number = fork
        .as_ref()
        .and_then(|fork| family.by_number.get(&fork.parent))
        .copied();
    let other = by_number.filter(|&other| other != process.pid);
    other.or(family.begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_circle_one_stands_at_the_top() {
        let mut tree = Tree {
            parents: [(1, 2), (2, 3), (3, 1), (4, 1), (5, 5), (7, 6)].into(),
            ..Tree::default()
        };
        tree.break_circles(1..=7);
        let parents = (1..=7).map(|pid| tree.parent(pid));
        assert_eq!(
            parents.collect::<Vec<_>>(),
            [Some(2), Some(3), None, Some(1), None, None, Some(6)]
        );
    }
}
