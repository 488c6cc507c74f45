//! Files, sockets and descriptors that cannot be had: as `fault_memory`, for the calls that open, make, double and
//! read them. Fails as it does there.

mod injected;

use injected::What;

const CALLS: &str = "openat,open,memfd_create,pipe2,pipe,socketpair,socket,dup,dup3,readlink,readlinkat,\
                     getdents64,recvmsg,connect";
const ERRORS: &[&str] = &["EMFILE", "ENFILE", "EPERM", "ENOMEM", "ENOSYS"];
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
