//! What `env` makes of its arguments: which command it runs, and what it takes out of the
//! environment before.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::preload;

/// A command line of `env`.
pub struct Inner {
    /// The command; empty where there is none.
    pub command: Vec<OsString>,
    /// The word that takes `LD_PRELOAD` away.
    pub cleared_by: Option<String>,
    /// Whether `PATH` is set for it.
    pub has_path: bool,
}

/// Of the words behind `env`; `None` where they are not understood here.
pub fn after_env(words: &[OsString]) -> Option<Inner> {
    let mut inner = Inner {
        command: Vec::new(),
        cleared_by: None,
        has_path: false,
    };
    let mut rest: Vec<OsString> = words.iter().rev().cloned().collect();
    let mut options = true;
    while let Some(word) = rest.pop() {
        let bytes = word.as_bytes();
        match bytes {
            b"--" if options => options = false,
            b"-" | b"-i" | b"--ignore-environment" if options => {
                inner.cleared_by = Some(format!("env {}", word.display()));
            }
            b"-u" | b"--unset" if options => {
                let name = rest.pop()?;
                inner.unset(&name);
            }
            b"-v" | b"--debug" if options => {}
            b"-C" | b"--chdir" if options => {
                rest.pop()?;
            }
            b"-S" | b"--split-string" if options => {
                let text = rest.pop()?;
                rest.extend(split(&text)?.into_iter().rev());
            }
            _ if options && bytes.starts_with(b"-") => {
                let value = |prefixes: [&str; 2]| {
                    let mut found = prefixes
                        .iter()
                        .filter_map(|prefix| bytes.strip_prefix(prefix.as_bytes()));
                    found.next().map(OsStr::from_bytes)
                };
                if let Some(name) = value(["--unset=", "-u"]) {
                    inner.unset(name);
                } else if let Some(text) = value(["--split-string=", "-S"]) {
                    rest.extend(split(text)?.into_iter().rev());
                } else if value(["--chdir=", "-C"]).is_none() {
                    return None;
                }
            }
            _ if bytes.contains(&b'=') => {
                options = false;
                inner.has_path |= bytes.starts_with(b"PATH=");
                let preloads = bytes.strip_prefix(b"LD_PRELOAD=").map(OsStr::from_bytes);
                if let Some(value) = preloads {
                    let guarded = preload::entries(value).any(preload::is_guard);
                    inner.cleared_by = (!guarded).then(|| "LD_PRELOAD=…".to_owned());
                }
            }
            _ => {
                inner.command.push(word);
                inner.command.extend(rest.drain(..).rev());
            }
        }
    }
    Some(inner)
}

impl Inner {
    fn unset(&mut self, name: &OsStr) {
        if name == preload::VARIABLE {
            self.cleared_by = Some("env -u LD_PRELOAD".to_owned());
        }
        self.has_path |= name == "PATH";
    }
}

/// The words of a `-S` string; `None` where it has quotes, escapes or variables.
fn split(text: &OsStr) -> Option<Vec<OsString>> {
    let special = |byte: &u8| matches!(byte, b'"' | b'\'' | b'\\' | b'$' | b'#');
    if text.as_bytes().iter().any(special) {
        return None;
    }
    let words = text.as_bytes().split(u8::is_ascii_whitespace);
    Some(
        words
            .filter(|word| !word.is_empty())
            .map(|word| OsString::from_vec(word.to_vec()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Option<(String, Option<String>)> {
        let words: Vec<OsString> = line.split('|').map(OsString::from).collect();
        let inner = after_env(&words)?;
        let command: Vec<_> = inner
            .command
            .iter()
            .map(|word| word.to_string_lossy())
            .collect();
        Some((command.join("|"), inner.cleared_by))
    }

    #[test]
    fn the_command_is_found_behind_what_is_for_env() {
        for (line, command) in [
            ("python3|a.py", "python3|a.py"),
            ("A=1|B=2|python3|C=3", "python3|C=3"),
            ("-S|python3 -u|a.py", "python3|-u|a.py"),
            ("-Spython3 -u|a.py", "python3|-u|a.py"),
            ("-S|A=1 python3 -i|a.py", "python3|-i|a.py"),
            ("-u|A|--chdir=/|-C|/|--|python3|-i", "python3|-i"),
            ("A=1", ""),
        ] {
            assert_eq!(told(line), Some((command.to_owned(), None)), "{line}");
        }
        assert_eq!(told("-S|python3 '-u'"), None);
        assert_eq!(told("--block-signal=INT|python3"), None);
        assert_eq!(told("-u"), None);
    }

    #[test]
    fn what_takes_the_guard_away_is_named() {
        for (line, by) in [
            ("-i|python3", "env -i"),
            ("-|python3", "env -"),
            ("-u|LD_PRELOAD|python3", "env -u LD_PRELOAD"),
            ("--unset=LD_PRELOAD|python3", "env -u LD_PRELOAD"),
            ("-uLD_PRELOAD|python3", "env -u LD_PRELOAD"),
            ("LD_PRELOAD=|python3", "LD_PRELOAD=…"),
        ] {
            assert_eq!(told(line).unwrap().1.as_deref(), Some(by), "{line}");
        }
        let kept = told("-i|LD_PRELOAD=/l/libforkguard.so|python3").unwrap();
        assert_eq!(kept, ("python3".to_owned(), None));
    }
}
