//! The policies, and chains of them: which are asked, in what order, and which acts when.
//!
//! Words and order alone: what a policy does is `crate::policy`'s.

use core::fmt;

/// What is done about CUDA in a forked child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// Report, then end the process.
    Abort,
    /// The fork becomes a fresh process; decided at the fork, not at the use.
    Exec,
    /// CUDA is absent in the child.
    Cpu,
    /// The child gets a driver of its own.
    Revive,
    /// Report, and let the call fail as it would.
    Warn,
    /// Intercept nothing.
    Off,
}

impl Policy {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::Abort => "abort",
            Policy::Exec => "exec",
            Policy::Cpu => "cpu",
            Policy::Revive => "revive",
            Policy::Warn => "warn",
            Policy::Off => "off",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        POLICIES.into_iter().find(|policy| policy.name() == word)
    }

    /// Whether it serves every child, so that what follows it in a chain is never asked.
    const fn is_last(self) -> bool {
        matches!(self, Policy::Abort | Policy::Warn | Policy::Off)
    }
}

const POLICIES: [Policy; 6] = [
    Policy::Abort,
    Policy::Exec,
    Policy::Cpu,
    Policy::Revive,
    Policy::Warn,
    Policy::Off,
];

/// Policies in a chain.
pub(super) const CHAIN: usize = POLICIES.len();

/// Policies to try in turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chain {
    pub(super) steps: [Policy; CHAIN],
    /// How many follow the first.
    pub(super) more: usize,
}

impl Chain {
    /// The default.
    pub(super) const ABORT: Self = Self {
        steps: [Policy::Abort; CHAIN],
        more: 0,
    };

    pub(super) fn steps(&self) -> &[Policy] {
        &self.steps[..=self.more]
    }

    /// The first policy, which is asked first.
    pub(super) const fn first(&self) -> Policy {
        self.steps[0]
    }

    /// The policies that can ever be asked: up to the first that serves every child.
    pub(super) fn asked(&self) -> &[Policy] {
        let steps = self.steps();
        let last = steps.iter().position(|policy| policy.is_last());
        &steps[..last.map_or(steps.len(), |last| last + 1)]
    }

    /// Whether `policy` may be asked, nothing but what is in `before` having been asked before it.
    pub(super) fn asks(&self, policy: Policy, before: &[Policy]) -> bool {
        self.asked()
            .iter()
            .find(|step| !before.contains(step))
            .is_some_and(|step| *step == policy)
    }

    /// The first policy that acts at a use of CUDA. `exec` acts at the fork, or refuses it; a
    /// chain that ends there aborts.
    pub(super) fn at_use(&self) -> Policy {
        let acts = |policy: &Policy| *policy != Policy::Exec;
        self.asked()
            .iter()
            .copied()
            .find(acts)
            .unwrap_or(Policy::Abort)
    }
}

/// As the user wrote it: `exec,abort`.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.steps().iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { "," }, step.name())?;
        }
        Ok(())
    }
}
