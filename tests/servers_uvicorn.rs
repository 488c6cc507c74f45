//! uvicorn itself with two workers, and an application whose import initialises CUDA: they are spawned, so that there is
//! nothing to say or to do under any policy, and as little when it replaces and ends them. Fails when the guard takes a
//! spawned worker for a forked one. `scripts/setup` installs it.

use forkguard_testkit::python_with_packages;

#[test]
fn spawned_workers_are_left_alone() {
    let program = python_with_packages("server_uvicorn.py").env("EARLY", "1");
    let bare = program.clone().bare().run();
    let served = "200 computed with CUDA";
    let end = "ended 0, left behind nothing";
    bare.assert_stdout(&["200 plain", served, served, served, end])
        .assert_silent();
    for policy in ["abort", "exec,revive,cpu"] {
        let outcome = program.clone().policy(policy).with_events().run();
        outcome.assert_same_as(&bare).assert_nothing_found();
    }
}
