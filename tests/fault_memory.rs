//! Memory that cannot be had, or not as it is asked for: each of the guard's calls for it fails in a run of its own, and
//! from each on all do. Fails when a right program is not what it is without the guard, when a violation is not reported
//! in full, when a child is neither served nor told why not, or when anybody is killed by a signal that is not abort's.

mod injected;

use injected::What;

const CALLS: &str = "mmap,mprotect,mremap,munmap,madvise,memfd_create,ftruncate";
const ERRORS: &[&str] = &["ENOMEM", "EPERM", "EAGAIN", "EINVAL", "ENOSYS"];
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
