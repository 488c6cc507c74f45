//! Inputs that nobody sane would write, for what reads inputs that others wrote: those that are kept in tests/corpus,
//! and some made of them, the same ones every time.
//!
//! This finds again what was found once, and what is near: `FORKGUARD_TEST_MANGLED=N` makes N times as many of them.
//! scripts/fuzz is what searches.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Bytes that mean something to one reader or another.
const ODD: [u8; 16] = *b"\0\n\r\t \"'\\!=,/{}\x7f\xff";
/// Longest input that is made.
const LONGEST: usize = 1 << 16;

/// The folder of the inputs that are kept for a reader.
pub fn corpus(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus")).join(name)
}

/// Gives `read` every input that is kept for it, and `made` ones made of those. Panics where it does, and keeps the
/// input in a file.
pub fn give(name: &str, made: usize, read: fn(&[u8])) {
    let folder = corpus(name);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a folder can be read").path())
        .collect();
    paths.sort();
    let kept: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| fs::read(path).expect("an input can be read"))
        .collect();
    assert!(!kept.is_empty(), "{} is empty", folder.display());
    for (path, input) in paths.iter().zip(&kept) {
        read_one(read, input, || path.clone());
    }
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let times =
        env::var("FORKGUARD_TEST_MANGLED").map_or(1, |times| times.parse().expect("a number"));
    for _ in 0..made * times {
        let input = random.mangled(&kept);
        read_one(read, &input, || {
            let place = env::temp_dir().join(format!("forkguard-{name}-input"));
            fs::write(&place, &input).expect("the input can be kept");
            place
        });
    }
}

fn read_one(read: fn(&[u8]), input: &[u8], place: impl FnOnce() -> PathBuf) {
    if catch_unwind(AssertUnwindSafe(|| read(input))).is_err() {
        let place = place();
        let path = place.display();
        panic!(
            "the reader does not stand the input {path}; once it does, keep that in tests/corpus"
        );
    }
}

/// Marsaglia's xorshift: the same numbers every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    /// One of those, changed in a few places.
    fn mangled(&mut self, kept: &[Vec<u8>]) -> Vec<u8> {
        let mut input = kept[self.below(kept.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(input.len() + 1);
            let len = self.below((input.len() - at).min(64) + 1);
            match self.below(8) {
                0 if at < input.len() => input[at] ^= 1 << self.below(8),
                1 if at < input.len() => input[at] = ODD[self.below(ODD.len())],
                2 => input.insert(at, ODD[self.below(ODD.len())]),
                3 => drop(input.drain(at..at + len)),
                4 => {
                    let piece = input[at..at + len].to_vec();
                    let to = self.below(input.len() + 1);
                    input.splice(to..to, piece);
                }
                5 => {
                    let other = &kept[self.below(kept.len())];
                    let from = self.below(other.len() + 1);
                    input.truncate(at);
                    input.extend_from_slice(&other[from..]);
                }
                6 => self.number(&mut input, at),
                _ => input.truncate(at),
            }
            input.truncate(LONGEST);
        }
        input
    }

    /// A number as binary formats have them, near an end of what it can be.
    fn number(&mut self, input: &mut [u8], at: usize) {
        const ENDS: [u64; 8] = [
            0,
            1,
            u64::MAX,
            i64::MAX as u64,
            u32::MAX as u64,
            i32::MAX as u64,
            1 << 32,
            0x7fff_ffff_f000,
        ];
        let value = ENDS[self.below(ENDS.len())].wrapping_add(self.below(16) as u64 * 8);
        let at = at & !7;
        let width = [4, 8][self.below(2)];
        if let Some(place) = input.get_mut(at..at + width) {
            place.copy_from_slice(&value.to_le_bytes()[..width]);
        }
    }
}
