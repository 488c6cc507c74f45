//! What happens when CUDA is used in a forked process.

pub mod abort;
pub mod entry;
pub mod exec;
pub mod replace;
pub mod teardown;
pub mod violation;
pub mod warn;

use core::ffi::CStr;

use crate::config::{self, Policy};
use crate::report::Kind;

/// A call that the gate (or a framework's own check) brought here.
pub struct Call<'a> {
    /// Whose function.
    pub kind: Kind,
    /// The function.
    pub name: &'a CStr,
    /// The address it returns to.
    pub caller: usize,
}

/// What the gate does with the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Let it go on, and fail as it would.
    Forward,
}

/// CUDA was used in a forked process: asks the policy. Does not return when the policy ends the
/// process.
pub fn used(call: &Call) -> Verdict {
    replace::act(call);
    match config::get().policy() {
        Policy::Abort => abort::act(call),
        Policy::Warn => warn::act(call),
        // `exec` acts at the fork, and by `replace`; what acts here follows it in the chain.
        Policy::Off | Policy::Exec => Verdict::Forward,
    }
}
