//! A sandbox that forbids `poll`, from the beginning or from any moment on: workers are started, by the template while it
//! can wait or without it, and nobody asks again and again for what is refused. Fails when a worker ends without a word
//! because it could not wait for its start's end, or when a template goes on after its program.

mod injected;

use injected::What;

const FAULTS: What = What::for_good("poll,ppoll", &["ENOSYS"]);

#[test]
fn of_a_start_by_the_template() {
    injected::worker(&FAULTS, "1");
}
