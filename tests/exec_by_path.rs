//! Under `exec` a worker has the modules that no import finds: plugins loaded by their paths, modules made at run time,
//! with what the program set in them, and in those that lie in an archive. Fails when a worker cannot be made ready for want of one, when a pool's worker does
//! not understand a task that names one, or sees otherwise than a forked one.

use forkguard_testkit::{Program, python_with_packages};

fn program() -> Program {
    python_with_packages("exec_by_path.py")
}

#[test]
fn as_after_a_fork() {
    let forked = program().bare().run();
    let fresh = program().policy("exec,abort").with_events().run();
    forked.assert_silent().assert_code(0);
    fresh.assert_silent().assert_code(0);
    assert!(forked.stdout.contains("\n3\n"), "{}", forked.story());
    assert_eq!(
        forked.stdout.replace("\n3\n", "\n0\n"),
        fresh.stdout,
        "{}",
        fresh.story()
    );
    let rewritten = |event: &&serde_json::Value| event["event"] == "rewritten";
    assert_eq!(
        fresh.events().iter().filter(rewritten).count(),
        5,
        "{}",
        fresh.story()
    );
}
