//! Writes that are interrupted, or find no room: the report is told in full all the same. Of a disk that is full or a
//! reader that is gone one piece may be lost, and then the event is there. Fails when neither is, or when the policy does
//! not act.

mod injected;

use injected::What;

const INTERRUPTED: What = What::once("write,writev,pwrite64", &["EINTR", "EAGAIN"]);
const LOST: What = What::once("write,writev,pwrite64", &["ENOSPC", "EIO", "EPIPE"]);

#[test]
fn interrupted() {
    injected::right_programs(&INTERRUPTED);
    injected::abort(&INTERRUPTED);
    injected::warn(&INTERRUPTED);
    injected::cpu(&INTERRUPTED);
    injected::entry(&INTERRUPTED);
}

#[test]
fn lost() {
    injected::told_somewhere(&LOST);
}
