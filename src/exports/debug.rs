//! A place for a debugger to stop.

/// Called when CUDA was used in a forked process, after the report and before the policy acts.
/// Does nothing: `break forkguard_violation`.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn forkguard_violation() {
    core::hint::black_box(());
}
