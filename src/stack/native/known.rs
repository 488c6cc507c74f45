//! The rules that were found, so that a program that forks again and again has its tables read once.
//!
//! A rule is kept for a place in a build: the address within the object, and the build's id. So it
//! does not matter what is unloaded and loaded in its place; of a build without an id nothing is
//! kept. Any number of threads, and forked children, read and write it without a lock.

use core::sync::atomic::{AtomicU64, Ordering};

use super::build::Build;
use super::rule::Rule;

/// Places that are kept; they share these by a hash.
const PLACES: usize = 1024;

struct Place {
    rule: AtomicU64,
    /// What the place, the build and the rule make together: of two writers' halves it does not come
    /// out.
    check: AtomicU64,
}

static KNOWN: [Place; PLACES] = [const {
    Place {
        rule: AtomicU64::new(0),
        check: AtomicU64::new(0),
    }
}; PLACES];

/// Odd numbers, by which different places stay different.
const BY_OFFSET: u64 = 0x9e37_79b9_7f4a_7c15;
const BY_RULE: u64 = 0xc2b2_ae3d_27d4_eb4f;

fn check(offset: usize, build: Build, rule: u64) -> u64 {
    (offset as u64).wrapping_mul(BY_OFFSET) ^ build.0 ^ rule.wrapping_mul(BY_RULE).rotate_left(32)
}

fn place(offset: usize, build: Build) -> &'static Place {
    let hash = (offset as u64 ^ build.0).wrapping_mul(BY_OFFSET);
    &KNOWN[(hash >> 48) as usize % PLACES]
}

/// The rule for `offset` in the build, if it is known.
pub fn get(offset: usize, build: Build) -> Option<Rule> {
    let place = place(offset, build);
    let word = place.rule.load(Ordering::Relaxed);
    let known = place.check.load(Ordering::Relaxed) == check(offset, build, word);
    Rule::of_word(word).filter(|_| known)
}

/// Keeps it.
pub fn put(offset: usize, build: Build, rule: Rule) {
    let (place, word) = (place(offset, build), rule.word());
    place.rule.store(word, Ordering::Relaxed);
    place
        .check
        .store(check(offset, build, word), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::super::rule::tests::sample;
    use super::*;

    #[test]
    fn a_rule_is_for_one_place_of_one_build() {
        let (rule, other) = (sample(0x12_3458), sample(8));
        let build = Build(0x1234_5678_9abc_def0);
        put(0x4711, build, rule);
        put(0x4712, build, other);
        assert_eq!(get(0x4711, build), Some(rule));
        assert_eq!(get(0x4712, build), Some(other));
        assert_eq!(get(0x4711, Build(build.0 + 1)), None);
        assert_eq!(get(0x4713, build), None);
    }

    #[test]
    fn halves_of_two_writers_are_no_rule() {
        let build = Build(77);
        put(1, build, sample(16));
        let place = place(1, build);
        place.rule.store(sample(32).word(), Ordering::Relaxed);
        assert_eq!(get(1, build), None);
    }
}
