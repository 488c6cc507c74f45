//! The gate: every driver function a program obtains is a stub, and the first call in each process
//! comes here, unless there is nothing to do at it ([`ready`]).
//!
//! A stub jumps to `trap + slot`. The kernel clears the slots in every forked child
//! (`MADV_WIPEONFORK`), and a cleared slot is a trap. So the first call of each function in a
//! process comes to [`enter`], which fills the slot and forwards; from then on a call costs three
//! instructions. In a forked child the first call of any function comes here again, whatever
//! system call made the child, and the table being empty while this process's memory says
//! "initialised" is how the child is known.
//!
//! Nothing here may lock, allocate, or call the loader, with one exception: a function that a
//! program reaches by linking (not by `dlsym`) is looked up at its first call.

pub mod answers;
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
pub mod arch;
pub mod classes;
pub mod code;
pub mod driver;
pub mod names;
pub mod pjrt;
pub mod pjrt_absent;
pub mod pjrt_names;
pub mod slots;
pub mod special;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!(
    "forkguard's stubs and trap are written in assembly, one file an architecture (src/gate/): \
     x86_64 and aarch64 are there. To add another: a stub that jumps to its trap plus its slot, a \
     trap that saves the argument registers and calls `gate::enter`, and the naked `dlsym`."
);

use forkguard_protocol::standing;
pub use forkguard_protocol::standing::Standing;

use crate::config;
use crate::lineage;
use crate::policy::{self, Verdict};
use crate::report::Kind;
use crate::sys::raw::ErrnoGuard;
use crate::sys::thread;
use classes::Class;
use slots::Index;

/// Where this process stands. Decided once a process, kept in the page that the kernel clears. (The
/// process that initialises has passed here before it does.)
pub fn standing() -> Standing {
    standing::decide(slots::standing_word(), lineage::is_clean)
}

/// What the trap saved of the caller, as far as the gate reads it.
#[repr(C)]
pub struct Frame {
    /// The caller's frame pointer.
    pub frame_pointer: usize,
    /// The address the call returns to.
    pub return_address: usize,
}

/// The trap's Rust side: called with every argument register saved; the trap jumps to the
/// address it returns.
///
/// # Safety
/// `frame` is the trap's own, valid during the call.
pub unsafe extern "C" fn enter(index: u32, frame: *const Frame) -> usize {
    let _errno = ErrnoGuard::new();
    let index = Index::from_trap(index);
    // SAFETY: the trap passes the frame it has just built on its own stack.
    let caller = unsafe { (*frame).return_address };
    let stack = frame as usize;
    if config::get().is_off() {
        // Here only because the program is linked with the driver: its own functions, unseen.
        return true_function(index).map_or_else(|missing| missing, |target| filled(index, target));
    }
    match standing() {
        Standing::Own => own(index, caller, stack),
        Standing::Forked => forked(index, caller, stack),
    }
}

/// The function at `target` is handed out to the program: where the gate has nothing to do at its
/// first call in this process, that call does not come here.
///
/// It would be forwarded as all others are, but a stub that jumped to its trap once is to many
/// processors a jump to two places, each later call of which costs them some cycles more.
pub fn ready(index: Index, target: usize) {
    if config::get().is_off()
        || config::get().verbose >= 2
        || !slots::kernel_clears()
        || slots::has_to_be_seen(index)
        || standing() != Standing::Own
        || lineage::has_foreign_handles()
    {
        return;
    }
    slots::fill(index, target);
}

fn own(index: Index, caller: usize, stack: usize) -> usize {
    slots::note_use(index);
    if config::get().verbose >= 2 {
        crate::report::emit::first_use(slots::name(index).to_str().unwrap_or("?"), caller);
    }
    if lineage::has_foreign_handles() && slots::class(index) == Class::Teardown {
        // A process that ends takes down what it inherited, too, which this driver never made.
        if policy::teardown::is_ending(stack) {
            return code::answer(answers::DEINITIALIZED);
        }
        return forward(index, caller, false);
    }
    forward(index, caller, true)
}

fn forked(index: Index, caller: usize, stack: usize) -> usize {
    let plugin_absent = slots::kind(index) == Kind::XlaCall && policy::cpu::is_absent();
    if plugin_absent && let Some(release) = pjrt_absent::release(index) {
        return filled(index, release);
    }
    let call = policy::Call {
        kind: slots::kind(index),
        name: slots::name(index),
        caller,
    };
    match slots::class(index) {
        // What a runtime gets of the driver before it initialises it must be of the driver that
        // it will have.
        Class::Harmless
            if special::is_export_table(index) && policy::revive::for_runtime(&call) =>
        {
            own(index, caller, stack)
        }
        Class::Harmless | Class::Probe => forward(index, caller, true),
        // What is taken down is forwarded, too: the driver refuses it at once and harmlessly,
        // and the frameworks then end as they end without the guard. Not remembered in the slot
        // where this process may get a driver to which such calls must not come.
        Class::Teardown => forward(index, caller, !config::get().foreign_handles_unused),
        // Not remembered in the slot: the next call may be a use.
        Class::Use if !plugin_absent && policy::teardown::is_under_way(stack) => {
            forward(index, caller, false)
        }
        Class::Use => {
            match policy::used(&call) {
                // Revived: this process's own use, noted as such.
                Verdict::Forward if standing() == Standing::Own => own(index, caller, stack),
                Verdict::Forward => forward(index, caller, true),
                // XLA's functions answer with an object, not with a number.
                Verdict::Answer(_) if slots::kind(index) == Kind::XlaCall => {
                    match pjrt_absent::refusal(index) {
                        Some(refusal) => filled(index, refusal),
                        None => forward(index, caller, true),
                    }
                }
                Verdict::Answer(code) => filled(index, code::answer(code)),
            }
        }
    }
}

/// What the trap jumps to so that the call is made; `fill` lets later calls go there without the
/// gate.
fn forward(index: Index, caller: usize, fill: bool) -> usize {
    let target = match true_function(index) {
        Ok(target) => target,
        Err(missing) => return missing,
    };
    if let Some(wrapper) = special::wrapper(index, caller) {
        thread::current().special.set(target);
        return wrapper;
    }
    if fill { filled(index, target) } else { target }
}

/// The function's address, or that of one that answers for a function that is not there.
fn true_function(index: Index) -> Result<usize, usize> {
    slots::target(index)
        .or_else(|| driver::resolve(index))
        .ok_or_else(|| code::answer(driver::missing_answer(slots::name(index))))
}

fn filled(index: Index, target: usize) -> usize {
    slots::fill(index, target);
    target
}

/// This forked process has a driver of its own: its calls are as any process's.
pub fn stand_alone() {
    standing::stand_alone(slots::standing_word());
}

/// In a forked child made by a function we interpose: clears what the kernel did not.
pub fn after_fork() {
    if slots::kernel_clears() {
        // What is in the table was put there since, by a handler that ran inside of `fork`.
        return;
    }
    if standing::is_known(slots::standing_word()) {
        slots::clear();
    }
}
