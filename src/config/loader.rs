//! Who may set what. Files and variables come one after the other, and of each setting it is kept
//! how strong the source is that set or locked it.
//!
//! Precedence, the strongest first: lines with `!` of `/etc/forkguard.conf`, lines with `!` of
//! the file named by `FORKGUARD_CONFIG`, the environment, plain lines of the file. The named
//! file stands in the place of `/etc/forkguard.conf`, but for the latter's `!` lines. In
//! secure-execution mode (a setuid program) the environment is not read at all.
//!
//! A locked policy takes with it the settings that would weaken it (`WEAKENING`), and a line `!*`
//! takes all: what the file does not set has its default. Where something was to be locked and it
//! cannot be told what (a `!` line that is not understood, an `/etc/forkguard.conf` that cannot be
//! read), everything is: a mistake in a file that enforces must not open what it was to close.
//!
//! What a line, a variable or a value looks like is not known here.

use core::ffi::CStr;
use core::fmt;

use super::key::{KEYS, Key};
use super::origin::Origin;
use super::read::Unreadable;
use super::settings::{Config, Exec};
use super::shown::Shown;

/// The file read when no other is named.
pub(super) const DEFAULT_FILE: &CStr = c"/etc/forkguard.conf";

/// How strong the source of a setting is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Default,
    File,
    Environment,
    LockedFile,
    LockedDefaultFile,
}

/// Where a setting stands, for messages.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Variable(&'a str),
    Line(&'a CStr, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Variable(name) => f.write_str(name),
            Place::Line(path, line) => write!(f, "{}:{line}", Shown(path.to_bytes())),
        }
    }
}

/// What holds so far, and what may still change it.
pub(super) struct Loader<'a> {
    pub(super) config: &'a mut Config,
    /// Of each setting, what it takes to change it.
    pub(super) rank: [Rank; KEYS.len()],
    /// Says one line on stderr.
    pub(super) say: &'a mut dyn FnMut(fmt::Arguments<'_>),
}

impl Loader<'_> {
    pub(super) fn say(&mut self, message: fmt::Arguments<'_>) {
        (self.say)(message);
    }

    /// A file was not read, which might have locked what `rank` locks.
    pub(super) fn unreadable(&mut self, path: &CStr, reason: Unreadable, rank: Rank) {
        let locked = if rank > Rank::Default {
            ", and neither do the environment's, which it may forbid"
        } else {
            ""
        };
        self.say(format_args!(
            "the configuration file {} was not read: {reason}; its settings do not hold{locked}",
            Shown(path.to_bytes())
        ));
        self.lock(|_| true, rank);
    }

    /// Takes what is weaker than `rank` the right to change these settings.
    pub(super) fn lock(&mut self, which: impl Fn(Key) -> bool, rank: Rank) {
        for (key, _) in KEYS {
            if which(key) {
                let held = &mut self.rank[key as usize];
                *held = rank.max(*held);
            }
        }
    }

    /// Whether everything is locked by the file that is always read.
    pub(super) fn is_locked(&self) -> bool {
        self.rank
            .iter()
            .all(|rank| *rank == Rank::LockedDefaultFile)
    }

    /// Answers whether the value was understood; what may not be set here is not looked at.
    pub(super) fn set(&mut self, key: Key, value: &[u8], rank: Rank, place: Place<'_>) -> bool {
        if rank < self.rank[key as usize] {
            return true;
        }
        // An empty variable is an unset one.
        if value.is_empty() && rank == Rank::Environment {
            return true;
        }
        let understood = self.value(key, value, place);
        if understood {
            self.rank[key as usize] = rank;
            self.config.origins[key as usize] = match place {
                Place::Variable(_) => Origin::new(rank, 0, false),
                Place::Line(path, line) => Origin::new(rank, line, path != DEFAULT_FILE),
            };
        }
        understood
    }

    /// What only shows when everything is read.
    pub(super) fn finish(&mut self) {
        self.config.locked = self.rank.map(|rank| rank > Rank::Environment);
        if self.config.verbose >= 1
            && self.config.exec != Exec::None
            && self.config.in_place().is_none()
        {
            self.say(format_args!(
                "FORKGUARD_EXEC is set and has no use: it belongs to the policy exec, which \
                 FORKGUARD_POLICY does not come to"
            ));
        }
        if self.config.verbose >= 1 && self.config.foreign_handles_unused && !self.config.revives()
        {
            self.say(format_args!(
                "FORKGUARD_REVIVE is set and has no use: it belongs to the policy revive, which \
                 FORKGUARD_POLICY does not come to"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::given::{Given, environment};
    use crate::config::policy::{Chain, Policy};

    #[test]
    fn nothing_set_is_the_default_and_silent() {
        let (config, said) = environment(&[c"PATH=/bin", c"FORKGUARD_POLICY=", c"FORKGUARD_X=1"]);
        assert_eq!(config.policy, Chain::ABORT);
        assert_eq!(
            (config.verbose, config.exit_code, config.report()),
            (0, None, None)
        );
        assert!(!config.plain);
        assert_eq!(said, Vec::<String>::new());
    }

    #[test]
    fn the_environment_beats_a_file_but_not_its_locked_lines() {
        let given = Given {
            named: Some(b"FORKGUARD_VERBOSE=1\n!FORKGUARD_POLICY=abort\n"),
            environment: &[c"FORKGUARD_POLICY=off", c"FORKGUARD_VERBOSE=2"],
            ..Given::default()
        };
        let (config, said) = given.load();
        assert_eq!(config.policy.first(), Policy::Abort);
        assert_eq!(config.verbose, 2);
        assert_eq!(said, Vec::<String>::new());
    }

    #[test]
    fn a_named_file_hides_the_default_one_but_not_its_locked_lines() {
        let given = Given {
            etc: Some(b"!FORKGUARD_POLICY=abort\nFORKGUARD_VERBOSE=2\nrubbish\n"),
            named: Some(b"!FORKGUARD_POLICY=off\nFORKGUARD_EXIT_CODE=3\n"),
            environment: &[c"FORKGUARD_POLICY=warn"],
        };
        let (config, said) = given.load();
        assert_eq!(config.policy.first(), Policy::Abort);
        assert_eq!((config.verbose, config.exit_code), (0, Some(3)));
        assert_eq!(said, Vec::<String>::new());
    }

    #[test]
    fn a_locked_policy_takes_with_it_what_would_weaken_it() {
        let weaker: &[&CStr] = &[
            c"FORKGUARD_IGNORE=cuInit",
            c"FORKGUARD_EXEC=true",
            c"FORKGUARD_REVIVE=foreign-handles-unused",
            c"FORKGUARD_VERBOSE=1",
        ];
        let locked = b"!FORKGUARD_POLICY=exec,revive,abort\n";
        let is_held = |config: &Config| {
            config.in_place().is_none()
                && !config.ignores(b"cuInit")
                && !config.foreign_handles_unused
        };
        let given = |etc, named| Given {
            etc,
            named,
            environment: weaker,
        };
        let (config, said) = given(Some(locked), None).load();
        assert!(is_held(&config) && said.is_empty(), "{said:#?}");
        // Everything else stays the environment's.
        assert_eq!(config.verbose, 1);
        // No other file may, by whatever kind of line.
        let other = b"!FORKGUARD_IGNORE=cuInit\nFORKGUARD_EXEC=true\n!FORKGUARD_POLICY=off\n\
                      !FORKGUARD_REVIVE=foreign-handles-unused\n";
        let (config, _) = given(Some(locked), Some(other)).load();
        assert!(is_held(&config) && config.rewrites());
        // The file itself may.
        let same = b"FORKGUARD_IGNORE=cuMemAlloc\n!FORKGUARD_POLICY=abort\n";
        let (config, _) = given(Some(same), None).load();
        assert!(config.ignores(b"cuMemAlloc") && is_held(&config));
        // A policy that is not locked locks nothing.
        let (config, _) = given(Some(b"FORKGUARD_POLICY=exec,revive\n"), None).load();
        assert!(config.ignores(b"cuInit") && config.in_place().is_some());
    }

    #[test]
    fn one_line_locks_everything() {
        for place in ["!*\nFORKGUARD_VERBOSE=1\n", "FORKGUARD_VERBOSE=1\n ! * \n"] {
            let given = Given {
                etc: Some(place.as_bytes()),
                named: Some(b"FORKGUARD_EXIT_CODE=3\nrubbish\n"),
                environment: &[
                    c"FORKGUARD_POLICY=off",
                    c"FORKGUARD_VERBOSE=2",
                    c"FORKGUARD_REPORT=/tmp/events",
                    c"FORKGUARD_REPORT_ARGV=1",
                ],
            };
            let (config, said) = given.load();
            assert_eq!(config.policy, Chain::ABORT);
            assert_eq!((config.verbose, config.exit_code), (1, None));
            assert_eq!((config.report(), config.report_argv), (None, false));
            assert_eq!(said, Vec::<String>::new());
        }
        // In a file that the environment names, it is the environment that is locked out.
        let given = Given {
            etc: Some(b"!FORKGUARD_VERBOSE=1\n"),
            named: Some(b"!*\nFORKGUARD_EXIT_CODE=3\nFORKGUARD_VERBOSE=2\n"),
            environment: &[c"FORKGUARD_POLICY=off"],
        };
        let (config, _) = given.load();
        assert_eq!(config.policy, Chain::ABORT);
        assert_eq!((config.verbose, config.exit_code), (1, Some(3)));
    }

    #[test]
    fn a_default_file_that_cannot_be_read_opens_nothing() {
        let mut config = Config::DEFAULT;
        let mut said = Vec::new();
        let mut say = |message: fmt::Arguments<'_>| said.push(message.to_string());
        let mut loader = Loader {
            config: &mut config,
            rank: [Rank::Default; KEYS.len()],
            say: &mut say,
        };
        let reason = Unreadable::Errno(libc::EACCES);
        loader.unreadable(DEFAULT_FILE, reason, Rank::LockedDefaultFile);
        assert!(loader.is_locked());
        loader.environment([c"FORKGUARD_POLICY=off"].into_iter());
        assert_eq!(config.policy, Chain::ABORT);
        assert!(
            said.len() == 1 && said[0].contains("permission denied"),
            "{said:#?}"
        );
    }
}
