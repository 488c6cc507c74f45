//! What happens when CUDA is used in a forked process.

pub mod abort;
pub mod cpu;
pub mod entry;
pub mod exec;
pub mod off;
pub mod replace;
pub mod revive;
pub mod teardown;
pub mod violation;
pub mod warn;

use core::ffi::CStr;

use crate::config::{self, Policy};
use crate::report::Kind;
use crate::sys::environment;

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
    /// Let it go on: it fails as it would, or the driver is this process's own now.
    Forward,
    /// Answer this `CUresult` in the driver's place, now and from now on.
    Answer(u32),
}

/// At load: keeps PyTorch from initialising CUDA where it is only asked whether CUDA is there, by its
/// own switch (it asks NVML instead). Under the policies that are for going on after a fork, which
/// then is one like any other. The user's own setting stands.
pub fn prepare() {
    let config = config::get();
    // SAFETY: reads a table that the kernel made.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    if !secure && (config.rewrites() || config.revives() || config.may_be_absent()) {
        // SAFETY: called by the constructor alone.
        unsafe { environment::set_default(c"PYTORCH_NVML_BASED_CUDA_CHECK=1") };
    }
}

/// CUDA was used in a forked process: asks the policies in turn. Does not return when one of them
/// ends the process.
pub fn used(call: &Call) -> Verdict {
    for policy in config::get().chain() {
        match policy {
            Policy::Abort => abort::act(call),
            Policy::Warn => return warn::act(call),
            Policy::Off => return off::act(call),
            // It acted at the fork; here it may still run what `FORKGUARD_EXEC` names.
            Policy::Exec => replace::act(call),
            Policy::Cpu => return cpu::act(call),
            Policy::Revive => {
                if revive::act(call) {
                    return Verdict::Forward;
                }
            }
        }
    }
    abort::act(call)
}
