//! Waits that are interrupted, and signals that cannot be asked for: as `fault_memory`, for the calls that wait,
//! sleep, read and change signals. Fails as it does there, or when somebody waits for ever.

mod injected;

use injected::What;

const FAULTS: What = What::once(
    "rt_sigaction,sigaltstack,alarm,kill,futex,poll,ppoll,nanosleep,clock_nanosleep,read,pread64,sched_yield",
    &["EINTR", "EPERM", "ENOSYS", "EAGAIN", "EINVAL"],
);

injected::every_program!(FAULTS);

/// What becomes another program waits for the template that it ends, lest the other one finds it.
#[test]
fn of_another_program() {
    injected::another_program(&What::once("wait4", &["EINTR"]));
}
