//! What the command reads that others wrote, each reader as a function of bytes: nothing may panic,
//! and nothing that is shown moves a terminal's cursor or becomes markup.
//!
//! For libFuzzer (the `fuzz` folder, scripts/fuzz) and for the test below, which gives each what is
//! kept in tests/corpus and some mangled inputs. Not in the command that is shipped.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::{elf, explain, inside, preload, program, ps, story};

/// A reader, given bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 8] = [
    ("events", explain::fuzz::events),
    ("story", story::fuzz::story),
    ("record", ps::look::fuzz::record),
    ("maps", ps::look::fuzz::maps),
    ("symbols", explain::fuzz::symbols),
    ("elf-file", elf_file),
    ("script", program::fuzz::script),
    ("description", description),
];

/// A program's or a library's file.
fn elf_file(bytes: &[u8]) {
    if let Some(elf) = elf::parse(bytes) {
        let names = elf.needed.iter().map(String::len).sum::<usize>();
        assert!(names == 0 || !bytes.is_empty());
        let _ = elf.machine.to_string();
    }
}

/// What a library that is preloaded says of itself, and a value of `LD_PRELOAD`.
fn description(bytes: &[u8]) {
    if let Ok(description) = serde_json::from_slice::<inside::Description>(bytes) {
        let _ = description.setting("FORKGUARD_POLICY");
        let _ = serde_json::to_string(&description);
    }
    let value = OsStr::from_bytes(bytes);
    let guard = Path::new("/opt/libforkguard.so");
    let preloaded = preload::value(guard, Some(value));
    let guards = preload::entries(&preloaded).filter(|path| preload::is_guard(path));
    assert_eq!(guards.count(), 1);
}

/// That nothing but line ends and, where they may be, colours are among the letters.
pub fn assert_plain(text: &str) {
    let odd = text
        .chars()
        .find(|&letter| letter.is_control() && letter != '\n' && letter != '\u{1b}');
    assert_eq!(odd, None, "{text:?}");
    for (at, _) in text.match_indices('\u{1b}') {
        let colour = text[at + 1..].strip_prefix('[').and_then(|rest| {
            rest.find(|letter: char| !letter.is_ascii_digit() && letter != ';')
                .and_then(|end| rest[end..].chars().next())
        });
        assert_eq!(colour, Some('m'), "{text:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkguard_testkit::mangled;

    #[test]
    fn no_input_does_harm() {
        for (name, read) in TARGETS {
            // Events and records are shown as a whole, in both ways.
            let made = match name {
                "events" => 100,
                "record" | "symbols" => 300,
                _ => 2000,
            };
            mangled::give(name, made, read);
        }
    }
}
