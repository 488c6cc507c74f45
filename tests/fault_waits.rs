//! Waits that are interrupted, and signals that cannot be asked for: as `fault_memory`, for the calls that wait,
//! sleep, read and change signals. Fails as it does there, or when somebody waits for ever.

mod injected;

use injected::What;

const FAULTS: What = What::once(
    "rt_sigaction,sigaltstack,alarm,kill,futex,poll,ppoll,nanosleep,clock_nanosleep,read,pread64,sched_yield",
    &["EINTR", "EPERM", "ENOSYS", "EAGAIN", "EINVAL"],
);

#[test]
fn of_right_programs() {
    injected::right_programs(&FAULTS);
}

#[test]
fn of_abort() {
    injected::abort(&FAULTS);
}

#[test]
fn of_warn() {
    injected::warn(&FAULTS);
}

#[test]
fn of_cpu() {
    injected::cpu(&FAULTS);
}

#[test]
fn of_replace() {
    injected::replace(&FAULTS);
}

#[test]
fn of_entry() {
    injected::entry(&FAULTS);
}

#[test]
fn of_revive() {
    injected::revive(&FAULTS);
}

#[test]
fn of_a_start() {
    injected::worker(&FAULTS, "0");
}

#[test]
fn of_a_start_by_the_template() {
    injected::worker(&FAULTS, "1");
}
