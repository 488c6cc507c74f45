//! A sandbox that forbids to mark files as to be closed, or as to be kept, by executing (`F_SETFD`): a start does not wait
//! for a template that is of no use, and that does not end before its program. Fails when it still has the socket by
//! which it would be asked, on which nobody answers, or when it has lost the file that tells of its program's end.

mod injected;

use injected::What;

/// By the number of `F_SETFD`.
const CALLS: &str = "fcntl=2";
const ERRORS: &[&str] = &["EPERM"];

#[test]
fn once() {
    injected::template_of_no_use(&What::once(CALLS, ERRORS));
}

#[test]
fn for_good() {
    injected::template_of_no_use(&What::for_good(CALLS, ERRORS));
}
