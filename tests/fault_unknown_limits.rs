//! A sandbox that forbids asking for limits: a template's worker is not made of limits that nobody told. Fails when one
//! ends without a word, because what could not be asked for was put on as zero.

mod injected;

use injected::What;

const FAULTS: What = What::once("prlimit64", &["ENOSYS"]);

#[test]
fn of_a_start_by_the_template() {
    injected::worker(&FAULTS, "1");
}
