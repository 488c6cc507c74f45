//! What several lines of the report say in the same words, and its colours.

use core::fmt;

use crate::lineage::Moment;
use crate::report::frames::{self, Location, Plain};
use crate::report::scene::Scene;
use crate::report::{Action, Kind, Violation, native};

/// Escape sequences, or nothing.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn of(self, code: &'static str) -> Code {
        Code(self.0.then_some(code))
    }

    pub(super) fn end(self) -> Code {
        self.of("0")
    }
}

pub(super) struct Code(Option<&'static str>);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |code| write!(f, "\x1b[{code}m"))
    }
}

/// What is done about it: `aborting pid 4242 (policy abort)`.
pub(super) struct Consequence<'a> {
    pub(super) v: &'a Violation<'a>,
    /// Whether the pid is still to be said.
    pub(super) named: bool,
}

impl fmt::Display for Consequence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.v;
        let pid = v.used.pid;
        match v.action {
            Action::Abort(None) if self.named => write!(f, "aborting pid {pid}")?,
            Action::Abort(None) => write!(f, "aborting")?,
            Action::Abort(Some(code)) if self.named => {
                write!(f, "ending pid {pid} with exit code {code}")?;
            }
            Action::Abort(Some(code)) => write!(f, "ending it with exit code {code}")?,
            Action::Warn | Action::Watch => {
                if self.named {
                    write!(f, "pid {pid} goes on, ")?;
                } else {
                    write!(f, "it goes on, ")?;
                }
                f.write_str(match v.kind {
                    Kind::DriverCall => "and the call will fail",
                    Kind::TorchRefusal => "and PyTorch will raise its own error",
                    Kind::XlaCall => "and the call will hang",
                })?;
            }
        }
        write!(f, " (policy {})", v.policy)
    }
}

/// A call and the library it came through: `cuInit, through libcudart.so.13`.
pub(super) struct Call<'a>(pub(super) &'a Moment);

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.function())?;
        match native::library(self.0.caller) {
            Some(library) if native::is_shared(library) => {
                write!(f, ", through {}", Plain(library))
            }
            Some(program) => write!(f, ", called by {}", Plain(program)),
            None => Ok(()),
        }
    }
}

/// An import, with where it is: `` `import mmcv` at app.py:3 ``.
pub(super) struct ImportIs<'a> {
    pub(super) import: frames::Import<'a>,
    pub(super) scene: &'a Scene<'a>,
}

impl fmt::Display for ImportIs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Location {
            frame: self.import.at,
            cwd: self.scene.cwd,
        };
        match self.import.module() {
            Some(module) => write!(f, "`import {module}` at {at}"),
            None => write!(f, "the import at {at}"),
        }
    }
}

/// A nanosecond count as a person says it.
pub(super) struct Span(pub(super) u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MS: u64 = 1_000_000;
        const S: u64 = 1000 * MS;
        let ns = self.0;
        if ns < MS {
            f.write_str("under 1 ms")
        } else if ns < S {
            write!(f, "{} ms", ns / MS)
        } else if ns < 60 * S {
            write!(f, "{}.{:02} s", ns / S, ns % S / (10 * MS))
        } else if ns < 3600 * S {
            write!(f, "{} min {} s", ns / (60 * S), ns / S % 60)
        } else {
            write!(f, "{} h {} min", ns / (3600 * S), ns / (60 * S) % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_as_a_person_says_them() {
        for (ns, said) in [
            (999_999, "under 1 ms"),
            (12_000_000, "12 ms"),
            (2_310_000_000, "2.31 s"),
            (59_999_000_000, "59.99 s"),
            (192_000_000_000, "3 min 12 s"),
            (7_500_000_000_000, "2 h 5 min"),
        ] {
            assert_eq!(Span(ns).to_string(), said);
        }
    }
}
