//! Memory that cannot be had, or not as it is asked for: each of the guard's calls for it fails in a run of its own, and
//! from each on all do. Fails when a right program is not what it is without the guard, when a violation is not reported
//! in full, when a child is neither served nor told why not, or when anybody is killed by a signal that is not abort's.

mod injected;

use injected::What;

const CALLS: &str = "mmap,mprotect,mremap,munmap,madvise,memfd_create,ftruncate";
const ERRORS: &[&str] = &["ENOMEM", "EPERM", "EAGAIN", "EINVAL", "ENOSYS"];
const FAULTS: What = What::once(CALLS, ERRORS);
const FOR_GOOD: What = What::for_good(CALLS, ERRORS);

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

#[test]
fn for_good() {
    injected::right_programs(&FOR_GOOD);
    injected::abort(&FOR_GOOD);
    injected::warn(&FOR_GOOD);
    injected::cpu(&FOR_GOOD);
}
