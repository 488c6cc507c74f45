//! A sandbox that forbids what the guard asks the kernel: about descriptors, limits, the process, chance. As
//! `fault_memory`; fails as it does there.

mod injected;

use injected::What;

const FAULTS: What = What::once(
    "fcntl,fstat,newfstatat,stat,statx,ioctl,prctl,getrandom,prlimit64,getsockopt,setsockopt,membarrier,\
     close_range,close,uname,access,fchmod",
    &["EPERM", "ENOSYS", "EINVAL"],
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
