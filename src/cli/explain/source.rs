//! The program's source lines around a frame.
//!
//! Only what looks like source is shown: an event may name any file, and what a page shows may be
//! passed on to others.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use super::files;
use crate::event::plain;
use crate::time::Stamp;

/// Bytes of a file that are looked at.
const LONGEST: u64 = 4 << 20;
/// Letters of a line that are shown.
const WIDEST: usize = 160;
/// Files kept.
const FILES: usize = 64;
/// File names that end like this are source.
const ENDINGS: [&str; 18] = [
    "py", "pyx", "pxd", "pyi", "c", "cc", "cpp", "cxx", "cu", "cuh", "h", "hh", "hpp", "hxx",
    "inl", "rs", "go", "ipynb",
];

/// Lines of a source file.
#[derive(Clone, Debug)]
pub struct Excerpt {
    /// The number of the first one.
    pub first: u32,
    /// The lines, with spaces for tabs and without what they are all indented by.
    pub lines: Vec<String>,
    /// The number of the line that it is about.
    pub at: u32,
    /// The file was changed after the event: the lines may be others.
    pub newer: bool,
}

/// The sources that were read.
pub struct Sources {
    /// Where files are looked for.
    root: Option<PathBuf>,
    enabled: bool,
    files: HashMap<String, Option<Source>>,
}

struct Source {
    lines: Vec<String>,
    changed: Option<Stamp>,
}

impl Sources {
    /// Sources that are looked for below `root`; none where they are not wanted.
    pub fn new(enabled: bool, root: Option<PathBuf>) -> Self {
        Self {
            root,
            enabled,
            files: HashMap::new(),
        }
    }

    /// Whether this file can be read.
    pub fn has(&mut self, file: &str) -> bool {
        self.source(file).is_some()
    }

    /// The line `at` of a file and `around` lines on either side, as far as they can be read.
    pub fn excerpt(
        &mut self,
        file: &str,
        at: u32,
        around: u32,
        event: Option<Stamp>,
    ) -> Option<Excerpt> {
        let source = self.source(file)?;
        if at == 0 || at as usize > source.lines.len() {
            return None;
        }
        let mut first = at.saturating_sub(around).max(1);
        let mut last = at.saturating_add(around).min(source.lines.len() as u32);
        // Empty lines at its edges say nothing.
        let empty = |line: u32| source.lines[line as usize - 1].is_empty();
        while first < at && empty(first) {
            first += 1;
        }
        while last > at && empty(last) {
            last -= 1;
        }
        let lines = &source.lines[first as usize - 1..last as usize];
        let indent = lines
            .iter()
            .filter(|line| !line.trim().is_empty())
            .map(|line| line.len() - line.trim_start_matches(' ').len())
            .min()
            .unwrap_or(0);
        let lines = lines
            .iter()
            .map(|line| line.get(indent..).unwrap_or_default().to_owned())
            .collect();
        let newer =
            matches!((source.changed, event), (Some(changed), Some(event)) if changed > event);
        Some(Excerpt {
            first,
            lines,
            at,
            newer,
        })
    }

    fn source(&mut self, file: &str) -> Option<&Source> {
        if !self.enabled {
            return None;
        }
        if !self.files.contains_key(file) {
            if self.files.len() >= FILES {
                self.files.clear();
            }
            let read = self.read(file);
            self.files.insert(file.to_owned(), read);
        }
        self.files.get(file)?.as_ref()
    }

    fn read(&self, file: &str) -> Option<Source> {
        let found = files::open(file, self.root.as_deref())?;
        if found.size > LONGEST {
            return None;
        }
        let mut text = BufReader::new(found.file.take(LONGEST));
        let ending = found.path.extension().and_then(|ending| ending.to_str());
        if !ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            // A script without an ending names its interpreter.
            let start = text.fill_buf().ok()?;
            let first = start.split(|&byte| byte == b'\n').next()?;
            if !first.starts_with(b"#!") || !contains(first, b"python") {
                return None;
            }
        }
        let mut bytes = Vec::new();
        text.read_to_end(&mut bytes).ok()?;
        let lines = String::from_utf8_lossy(&bytes)
            .lines()
            .map(|line| {
                let line: String = line.replace('\t', "    ").chars().take(WIDEST).collect();
                plain(line.trim_end())
            })
            .collect();
        Some(Source {
            lines,
            changed: found.changed,
        })
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        Sources::new(true, None)
    }

    fn file(name: &str, text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        let path = path.to_str().expect("text").to_owned();
        (folder, path)
    }

    #[test]
    fn lines_around_without_their_common_indent() {
        let (_folder, path) = file("a.py", "def f():\n    if x:\n\t\ty()\n\n    z(\x1b[31m)\n");
        let seen = sources().excerpt(&path, 3, 2, Some(Stamp(0))).unwrap();
        assert_eq!((seen.first, seen.at, seen.newer), (1, 3, true));
        assert_eq!(seen.lines[2], "        y()");
        assert_eq!(seen.lines[4], "    z(\u{fffd}[31m)");
        let seen = sources()
            .excerpt(&path, 3, 0, Some(Stamp(i64::MAX)))
            .unwrap();
        assert_eq!((seen.lines, seen.newer), (vec!["y()".to_owned()], false));
        for line in [0, 6, u32::MAX] {
            assert!(sources().excerpt(&path, line, 2, None).is_none());
        }
    }

    #[test]
    fn what_is_no_source_is_not_shown() {
        for (name, text, shown) in [
            ("secrets", "root:x\n", false),
            ("key.pem", "-----\n", false),
            ("app", "#!/usr/bin/env python3\n", true),
            ("app.cu", "x\n", true),
        ] {
            let (_folder, path) = file(name, text);
            assert_eq!(sources().has(&path), shown, "{name}");
            assert!(!Sources::new(false, None).has(&path));
        }
        for path in [
            "/dev/zero",
            "/proc/self/mem",
            "/",
            "",
            "<string>",
            "a\0b.py",
        ] {
            assert!(!sources().has(path), "{path}");
        }
    }
}
