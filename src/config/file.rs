//! A configuration file's text: its lines, and what a message about one says of where it is.
//!
//! Reads no file: its bytes are given.

use core::ffi::CStr;

use super::key::{KEYS, Key, WEAKENING};
use super::loader::{Loader, Place, Rank};
use super::shown::Shown;

/// Locks every setting.
const EVERYTHING: &[u8] = b"*";

/// Which file is being read.
#[derive(Clone, Copy)]
pub(super) enum File {
    /// `/etc/forkguard.conf`; where another one is named, only its `!` lines count.
    Default { only_locked: bool },
    /// The one that `FORKGUARD_CONFIG` names.
    Named,
}

impl Loader<'_> {
    /// Takes the lines of a file.
    pub(super) fn file(&mut self, text: &[u8], path: &CStr, file: File) {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let locked_rank = match file {
            File::Named => Rank::LockedFile,
            File::Default { .. } => Rank::LockedDefaultFile,
        };
        let locks_everything = text
            .split(|&b| b == b'\n')
            .any(|line| locked(line) == Some(EVERYTHING));
        // The rest of a file that locks everything holds, whatever other file is named.
        let only_locked = matches!(file, File::Default { only_locked: true }) && !locks_everything;
        let mut windows = false;
        let mut not_understood = None;
        for (i, line) in text.split(|&b| b == b'\n').enumerate() {
            let place = Place::Line(path, i + 1);
            let mut failed = || {
                if locked(line).is_some() {
                    not_understood.get_or_insert(i + 1);
                }
            };
            if line.ends_with(b"\r") {
                if !windows {
                    self.say(format_args!(
                        "{place}: the line ends in a carriage return, as on Windows; such lines \
                         are passed over: save the file with plain line ends"
                    ));
                }
                windows = true;
                failed();
                continue;
            }
            let (line, rank) = match locked(line) {
                Some(EVERYTHING) => continue,
                Some(rest) => (rest, locked_rank),
                None if only_locked => continue,
                None => (line.trim_ascii(), Rank::File),
            };
            if rank == Rank::File && (line.is_empty() || line.starts_with(b"#")) {
                continue;
            }
            if !self.line(line, rank, place) {
                failed();
            }
        }
        if let Some(line) = not_understood {
            self.say(format_args!(
                "{}: a line that begins with ! has the last word, and was not understood; so the \
                 environment sets nothing",
                Place::Line(path, line)
            ));
        }
        if locks_everything || not_understood.is_some() {
            self.lock(|_| true, locked_rank);
        } else if self.rank[Key::Policy as usize] == locked_rank {
            self.lock(|key| WEAKENING.contains(&key), locked_rank);
        }
    }

    /// Answers whether the line was understood.
    fn line(&mut self, line: &[u8], rank: Rank, place: Place<'_>) -> bool {
        if line.contains(&0) {
            self.say(format_args!(
                "{place}: the line has a NUL byte in it and is passed over"
            ));
            return false;
        }
        let Some(equals) = line.iter().position(|&b| b == b'=') else {
            self.say(format_args!(
                "{place}: \"{}\" is not of the form KEY=VALUE and is passed over",
                Shown(line)
            ));
            return false;
        };
        let (name, value) = (line[..equals].trim_ascii(), line[equals + 1..].trim_ascii());
        let key = KEYS.iter().find(|(_, known)| known.as_bytes() == name);
        // A command line has quotes of its own: only a pair around all of it is the line's.
        let whole = |inner: &[u8]| !inner.contains(&value[0]);
        let value = match (key, unquote(value)) {
            (Some((Key::Exec, _)), inner) => inner
                .filter(|inner| *inner == value || whole(inner))
                .unwrap_or(value),
            (_, Some(inner)) => inner,
            (_, None) => {
                self.say(format_args!(
                    "{place}: the quotes around the value do not match; the line is passed over"
                ));
                return false;
            }
        };
        match key {
            Some((key, _)) => return self.set(*key, value, rank, place),
            None if name == b"FORKGUARD_CONFIG" => self.say(format_args!(
                "{place}: FORKGUARD_CONFIG has a meaning in the environment only; the line is \
                 passed over"
            )),
            None => self.say(format_args!(
                "{place}: there is no setting \"{}\"; the line is passed over",
                Shown(name)
            )),
        }
        false
    }
}

/// What a line that begins with `!` locks.
fn locked(line: &[u8]) -> Option<&[u8]> {
    let rest = line.trim_ascii().strip_prefix(b"!")?;
    Some(rest.trim_ascii())
}

/// The value without the quotes around it; `None` where they do not match.
fn unquote(value: &[u8]) -> Option<&[u8]> {
    match value {
        [quote @ (b'"' | b'\''), rest @ ..] => match rest {
            [inner @ .., last] if last == quote => Some(inner),
            _ => None,
        },
        _ => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::given::{Given, file};
    use crate::config::policy::{Chain, Policy};
    use crate::config::settings::InPlace;

    #[test]
    fn files_have_comments_spaces_and_quotes() {
        let (config, said) = file(
            b"# forkguard\n\n  FORKGUARD_POLICY = \"warn\"\nFORKGUARD_VERBOSE='1'\n\
              \tFORKGUARD_EXIT_CODE=7",
        );
        assert_eq!(said, Vec::<String>::new());
        assert_eq!(config.policy.first(), Policy::Warn);
        assert_eq!((config.verbose, config.exit_code), (1, Some(7)));
    }

    #[test]
    fn what_a_file_may_not_say_is_named_by_line() {
        let (config, said) = file(
            b"FORKGUARD_POLIC=off\nnonsense\nFORKGUARD_VERBOSE=\"1\nFORKGUARD_CONFIG=x\n\
              FORKGUARD_POLICY=o\0ff\nFORKGUARD_POLICY=off\r\nFORKGUARD_VERBOSE=2\r\n\xff=1\n",
        );
        assert_eq!(config.policy, Chain::ABORT);
        assert_eq!(config.verbose, 0);
        let expected = [
            ("my.conf:1: ", "there is no setting \"FORKGUARD_POLIC\""),
            ("my.conf:2: ", "\"nonsense\" is not of the form KEY=VALUE"),
            ("my.conf:3: ", "the quotes around the value do not match"),
            (
                "my.conf:4: ",
                "FORKGUARD_CONFIG has a meaning in the environment only",
            ),
            ("my.conf:5: ", "NUL byte"),
            ("my.conf:6: ", "carriage return"),
            ("my.conf:8: ", "there is no setting \"?\""),
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (line, (place, what)) in said.iter().zip(expected) {
            assert!(line.starts_with(place) && line.contains(what), "{line}");
        }
    }

    #[test]
    fn a_locked_line_that_is_not_understood_opens_nothing() {
        for line in [
            "!FORKGUARD_POLICY=abrot",
            "!FORKGUARD_POLIC=abort",
            "!FORKGUARD_POLICY",
            "!FORKGUARD_POLICY=\"abort",
            "!FORKGUARD_POLICY=abort\r",
            "!FORKGUARD_EXEC=a | b",
            "!FORKGUARD_VERBOSE=3",
            "!",
            "! # FORKGUARD_POLICY=abort",
        ] {
            let text = format!("FORKGUARD_EXIT_CODE=3\n{line}\n");
            let given = Given {
                etc: Some(text.as_bytes()),
                named: None,
                environment: &[c"FORKGUARD_POLICY=warn", c"FORKGUARD_IGNORE=cuInit"],
            };
            let (config, said) = given.load();
            assert_eq!(config.policy, Chain::ABORT, "{line}");
            assert!(!config.ignores(b"cuInit"), "{line}");
            assert_eq!(config.exit_code, Some(3));
            assert_eq!(said.len(), 2, "{said:#?}");
            assert!(
                said.iter()
                    .all(|said| said.starts_with("/etc/forkguard.conf:2: "))
            );
            assert!(
                said[1].contains("the environment sets nothing"),
                "{said:#?}"
            );
        }
    }

    #[test]
    fn a_commands_own_quotes_in_a_file_stay() {
        for (line, expected) in [
            (&b"FORKGUARD_EXEC=\"python a.py\""[..], &b"python a.py"[..]),
            (b"FORKGUARD_EXEC='a b' c", b"'a b' c"),
            (b"FORKGUARD_EXEC='a b' 'c d'", b"'a b' 'c d'"),
            (b"FORKGUARD_EXEC=\"sh -c 'a b'\"", b"sh -c 'a b'"),
            (b"FORKGUARD_EXEC=a \"b\"", b"a \"b\""),
        ] {
            let text = [b"FORKGUARD_POLICY=exec\n", line].concat();
            let (config, said) = file(&text);
            assert_eq!(
                config.in_place(),
                Some(InPlace::Command(expected)),
                "{said:#?}"
            );
        }
        let locked = Given {
            named: Some(b"!FORKGUARD_EXEC=a\nFORKGUARD_POLICY=exec\n"),
            environment: &[c"FORKGUARD_EXEC=b"],
            ..Given::default()
        };
        assert_eq!(locked.load().0.in_place(), Some(InPlace::Command(b"a")));
    }
}
