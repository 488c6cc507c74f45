//! Files, sockets and descriptors that cannot be had: as `fault_memory`, for the calls that open, make, double and
//! read them. Fails as it does there.

mod injected;

use injected::What;

const CALLS: &str = "openat,open,memfd_create,pipe2,pipe,socketpair,socket,dup,dup3,readlink,readlinkat,\
                     getdents64,recvmsg,connect";
const ERRORS: &[&str] = &["EMFILE", "ENFILE", "EPERM", "ENOMEM", "ENOSYS"];
const FAULTS: What = What::once(CALLS, ERRORS);
const FOR_GOOD: What = What::for_good(CALLS, ERRORS);

injected::every_program!(FAULTS);

#[test]
fn for_good() {
    injected::right_programs(&FOR_GOOD);
    injected::abort(&FOR_GOOD);
    injected::warn(&FOR_GOOD);
    injected::cpu(&FOR_GOOD);
}
