//! Where a setting came from, and what it is, as it would be written: for who asks what is in
//! force here.

use core::fmt;

use super::key::{KEYS, Key};
use super::loader::{DEFAULT_FILE, Rank};
use super::settings::{Config, Exec, Template, words};
use super::shown::{Shown, Whole};
use crate::report::sink::Target;

/// Where the value of a setting stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    rank: Rank,
    /// Of a file.
    line: u32,
    /// Whether that is the file that `FORKGUARD_CONFIG` names.
    named: bool,
}

impl Origin {
    /// Nobody set it.
    pub(super) const DEFAULT: Self = Self {
        rank: Rank::Default,
        line: 0,
        named: false,
    };

    /// In line `line`, if in a file: the one that was named, or the default one.
    pub(super) fn new(rank: Rank, line: usize, named: bool) -> Self {
        Self {
            rank,
            line: u32::try_from(line).unwrap_or(u32::MAX),
            named,
        }
    }
}

/// One setting, for who asks what is in force.
pub struct Setting<'a> {
    config: &'a Config,
    key: Key,
    /// The variable's name.
    pub name: &'static str,
}

impl Setting<'_> {
    fn origin(&self) -> Origin {
        self.config.origins[self.key as usize]
    }

    /// Whether the environment cannot override it.
    pub fn is_locked(&self) -> bool {
        self.config.locked[self.key as usize]
    }

    /// Where it came from.
    pub fn source(&self) -> Source<'_> {
        Source(self)
    }
}

/// `default`, `environment`, or a file and its line.
pub struct Source<'a>(&'a Setting<'a>);

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { rank, line, named } = self.0.origin();
        let path = if named {
            self.0.config.named.get()
        } else {
            DEFAULT_FILE.to_bytes()
        };
        match rank {
            Rank::Default => f.write_str("default"),
            Rank::Environment => f.write_str("environment"),
            _ => write!(f, "{}:{line}", Shown(path)),
        }
    }
}

/// The value, as it would be written.
impl fmt::Display for Setting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.config;
        match self.key {
            Key::Policy => config.policy.fmt(f),
            Key::Report => match config.report() {
                None => config
                    .text_report()
                    .map_or(Ok(()), |path| write!(f, "text:{}", Whole(path.to_bytes()))),
                Some(Target::Fd(fd)) => write!(f, "fd:{fd}"),
                Some(Target::Stderr) => f.write_str("stderr"),
                Some(Target::Path(path)) => Whole(path.to_bytes()).fmt(f),
            },
            Key::Verbose => config.verbose.fmt(f),
            Key::ExitCode => config.exit_code.map_or(Ok(()), |code| code.fmt(f)),
            Key::Ignore => {
                for (i, word) in words(config.ignore.get()).enumerate() {
                    write!(f, "{}{}", if i == 0 { "" } else { "," }, Whole(word))?;
                }
                Ok(())
            }
            Key::Exec => match config.exec {
                Exec::None => Ok(()),
                Exec::Restart => f.write_str("restart"),
                Exec::Command => Whole(config.command.get()).fmt(f),
            },
            Key::Template => f.write_str(match config.template {
                Template::WhereItPays => "",
                Template::Always => "1",
                Template::Never => "0",
            }),
            Key::ReportArgv => u8::from(config.report_argv).fmt(f),
            Key::Revive => f.write_str(if config.foreign_handles_unused {
                "foreign-handles-unused"
            } else {
                ""
            }),
        }
    }
}

impl Config {
    /// All settings, in the order in which README names them.
    pub fn settings(&self) -> impl Iterator<Item = Setting<'_>> {
        KEYS.into_iter().map(|(key, name)| Setting {
            config: self,
            key,
            name,
        })
    }
}
