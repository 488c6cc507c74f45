//! What holds, however it was set, and what it means for who asks: hooks do, without a lock.
//!
//! It knows nothing of variables and files: what may be written is `value`'s, and who may set what
//! `loader`'s.

use core::ffi::CStr;

use super::key::KEYS;
use super::origin::Origin;
use super::policy::{Chain, Policy};
use crate::report::buffer::Buffer;
use crate::report::sink::Target;

/// Bytes of the longest path, its NUL included.
pub(super) const PATH: usize = 4096;

/// Bytes of the list of ignored functions, its NUL included.
pub(super) const IGNORE: usize = 2048;

/// Bytes of the longest command line, its NUL included.
pub(super) const COMMAND: usize = 4096;

/// A string in a fixed place.
#[derive(Clone)]
pub(super) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    const EMPTY: Self = Self {
        bytes: [0; N],
        len: 0,
    };

    /// Keeps `parts`, one after the other, with a NUL; `false` where they do not fit.
    pub(super) fn set(&mut self, parts: &[&[u8]]) -> bool {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        if len >= N {
            return false;
        }
        let mut at = 0;
        for part in parts {
            self.bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        self.bytes[len] = 0;
        self.len = len;
        true
    }

    pub(super) fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    None,
    Path,
    Text,
    Fd(i32),
    Stderr,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exec {
    None,
    Restart,
    Command,
}

/// Whether a fresh interpreter is kept ready, of which workers are copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Template {
    /// Where it pays: after heavy imports, or at the second worker.
    WhereItPays,
    /// From the first use of CUDA on; the first worker waits for it.
    Always,
    /// Never: every worker is executed.
    Never,
}

/// What `FORKGUARD_EXEC` puts in the place of a forked process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InPlace<'a> {
    /// The program's own command line again.
    Restart,
    /// This command line; [`command::split`](super::command::split) has accepted it.
    Command(&'a [u8]),
}

/// Everything that can be set.
#[derive(Clone)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own, not a state of one thing"
)]
pub struct Config {
    /// How much is said of what is no violation: 0, 1 or 2.
    pub verbose: u8,
    /// The exit code with which `abort` ends the process, instead of `SIGABRT`.
    pub exit_code: Option<u8>,
    /// Whether the text has no colours even on a terminal.
    pub plain: bool,
    /// Whether workers under `exec` are copies of a fresh interpreter that is kept ready.
    pub template: Template,
    /// Whether the user says that no child touches a CUDA handle of its parent's, so that `revive`
    /// may serve the child of a process that has some.
    pub foreign_handles_unused: bool,
    /// Whether events tell the program's arguments, which may hold what is nobody else's to know.
    pub report_argv: bool,
    pub(super) policy: Chain,
    pub(super) report: Report,
    pub(super) path: Text<PATH>,
    pub(super) trace: Text<PATH>,
    pub(super) ignore: Text<IGNORE>,
    pub(super) exec: Exec,
    pub(super) command: Text<COMMAND>,
    pub(super) replaced: bool,
    pub(super) restarted: bool,
    pub(super) origins: [Origin; KEYS.len()],
    /// Which of them the environment cannot change, whether they are set or not.
    pub(super) locked: [bool; KEYS.len()],
    /// The file that `FORKGUARD_CONFIG` named.
    pub(super) named: Text<PATH>,
}

impl Config {
    /// What holds where nothing is set. All of it is zeros: these 18 KB take no room in the
    /// library's file, and no memory but where something is set.
    pub(super) const DEFAULT: Self = Self {
        verbose: 0,
        exit_code: None,
        plain: false,
        template: Template::WhereItPays,
        foreign_handles_unused: false,
        report_argv: false,
        policy: Chain::ABORT,
        report: Report::None,
        path: Text::EMPTY,
        trace: Text::EMPTY,
        ignore: Text::EMPTY,
        exec: Exec::None,
        command: Text::EMPTY,
        replaced: false,
        restarted: false,
        origins: [Origin::DEFAULT; KEYS.len()],
        locked: [false; KEYS.len()],
        named: Text::EMPTY,
    };

    /// What is done first about a use of CUDA in a forked child.
    pub fn policy(&self) -> Policy {
        self.policy.at_use()
    }

    /// What to ask in turn, as far as it can come to that. A chain that is exhausted aborts.
    pub fn chain(&self) -> &[Policy] {
        self.policy.asked()
    }

    /// Whether a fork after CUDA may have to become a fresh process: whether `exec` can be asked.
    /// Of what may stand before it, `revive` alone says at the fork already that it refuses.
    pub fn rewrites(&self) -> bool {
        self.policy.asks(Policy::Exec, &[Policy::Revive])
    }

    /// Whether `revive` may have to serve a child.
    pub fn revives(&self) -> bool {
        self.policy.asked().contains(&Policy::Revive)
    }

    /// Whether `revive` is asked before `exec` is.
    pub fn revives_before_exec(&self) -> bool {
        self.policy.asks(Policy::Revive, &[])
    }

    /// Whether CUDA may have to be absent in a child.
    pub fn may_be_absent(&self) -> bool {
        self.policy.asked().contains(&Policy::Cpu)
    }

    /// What is to run in the place of a forked process that no fresh one could stand for.
    pub fn in_place(&self) -> Option<InPlace<'_>> {
        match self.exec {
            _ if !self.rewrites() => None,
            Exec::None => None,
            Exec::Restart => Some(InPlace::Restart),
            Exec::Command => Some(InPlace::Command(self.command.get())),
        }
    }

    /// Whether this program was itself run in the place of a forked process (or was started by
    /// one that was).
    pub fn is_replacement(&self) -> bool {
        self.replaced
    }

    /// Whether it was so by `restart`.
    pub fn is_restart(&self) -> bool {
        self.restarted
    }

    /// Whether nothing is to be intercepted.
    pub fn is_off(&self) -> bool {
        self.policy.first() == Policy::Off && self.trace().is_none()
    }

    /// The chain as the user wrote it: `exec,abort`.
    pub fn put_chain(&self, out: &mut Buffer<'_>) {
        out.put(format_args!("{}", self.policy));
    }

    /// Where events go, if anywhere.
    pub fn report(&self) -> Option<Target<'_>> {
        match self.report {
            Report::None | Report::Text => None,
            Report::Fd(fd) => Some(Target::Fd(fd)),
            Report::Stderr => Some(Target::Stderr),
            Report::Path => self.path().map(Target::Path),
        }
    }

    /// The file that the report's text goes to as well, in the place of events, if one does.
    pub fn text_report(&self) -> Option<&CStr> {
        if self.report == Report::Text {
            self.path()
        } else {
            None
        }
    }

    fn path(&self) -> Option<&CStr> {
        CStr::from_bytes_with_nul(&self.path.bytes[..=self.path.len]).ok()
    }

    /// The file of the command that watches this program, if one does.
    pub fn trace(&self) -> Option<&CStr> {
        if self.trace.len == 0 {
            return None;
        }
        CStr::from_bytes_with_nul(&self.trace.bytes[..=self.trace.len]).ok()
    }

    /// Whether the user wants this driver function treated as a probe.
    ///
    /// `cuMemAlloc` in the list stands for `cuMemAlloc_v2` and the other variants as well.
    pub fn ignores(&self, function: &[u8]) -> bool {
        !self.ignore.get().is_empty()
            && words(self.ignore.get()).any(|word| {
                function
                    .strip_prefix(word)
                    .is_some_and(|rest| rest.is_empty() || is_variant(rest))
            })
    }
}

/// `_v2`, `_ptsz`, `_v2_ptds`, …
fn is_variant(suffix: &[u8]) -> bool {
    let Some(suffix) = suffix.strip_prefix(b"_") else {
        return false;
    };
    suffix.split(|&b| b == b'_').all(|part| match part {
        b"ptsz" | b"ptds" => true,
        [b'v', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    })
}

/// The words of a comma list, without the spaces around them; empty ones are passed over.
pub(super) fn words(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&b| b == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::given::environment;

    #[test]
    fn a_chain_says_who_may_be_asked() {
        for (value, rewrites, revives, first, absent) in [
            (c"FORKGUARD_POLICY=cpu", false, false, false, true),
            (c"FORKGUARD_POLICY=revive", false, true, true, false),
            (c"FORKGUARD_POLICY=exec,revive,cpu", true, true, false, true),
            (
                c"FORKGUARD_POLICY=revive,exec,abort",
                true,
                true,
                true,
                false,
            ),
            (c"FORKGUARD_POLICY=cpu,exec", false, false, false, true),
            (
                c"FORKGUARD_POLICY=abort,exec,revive,cpu",
                false,
                false,
                false,
                false,
            ),
            (c"FORKGUARD_POLICY=exec,off,cpu", true, false, false, false),
        ] {
            let (config, said) = environment(&[value]);
            assert_eq!(said, Vec::<String>::new());
            assert_eq!(
                (
                    config.rewrites(),
                    config.revives(),
                    config.revives_before_exec(),
                    config.may_be_absent()
                ),
                (rewrites, revives, first, absent),
                "{value:?}"
            );
        }
    }

    #[test]
    fn exec_acts_at_the_fork_and_the_rest_of_the_chain_at_the_use() {
        for (value, at_use) in [
            (c"FORKGUARD_POLICY=exec", Policy::Abort),
            (c"FORKGUARD_POLICY=exec,abort", Policy::Abort),
            (c"FORKGUARD_POLICY=exec,warn", Policy::Warn),
            (c"FORKGUARD_POLICY=exec,off", Policy::Off),
        ] {
            let (config, said) = environment(&[value]);
            assert!(config.rewrites() && !config.is_off() && said.is_empty());
            assert_eq!(config.policy(), at_use);
        }
        let (config, _) = environment(&[c"FORKGUARD_POLICY=warn,exec"]);
        assert!(!config.rewrites());
        let mut room = [0; 64];
        let mut out = Buffer::new(&mut room);
        environment(&[c"FORKGUARD_POLICY=exec, warn"])
            .0
            .put_chain(&mut out);
        assert_eq!(out.finish(), b"exec,warn");
    }

    #[test]
    fn a_command_without_its_policy_has_no_use() {
        let (config, said) = environment(&[c"FORKGUARD_EXEC=restart"]);
        assert_eq!((config.in_place(), said.len()), (None, 0));
        let (_, said) = environment(&[c"FORKGUARD_EXEC=restart", c"FORKGUARD_VERBOSE=1"]);
        assert!(
            said.len() == 1 && said[0].contains("has no use"),
            "{said:#?}"
        );
    }
}
