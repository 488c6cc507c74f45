//! `cpu` in a chain: what cannot become a fresh process goes on without CUDA, and what is one has it. Fails when a policy
//! is asked out of turn, or when the child of one that may still serve it is already without devices.

use forkguard_testkit::{Program, python, python_with_packages};

#[test]
fn a_worker_is_a_fresh_process_and_another_fork_goes_on() {
    let worker = python_with_packages("cpu_python.py")
        .arg("process")
        .policy("exec,cpu,abort")
        .run();
    worker.assert_silent();
    worker.assert_stdout(&[
        "parent 0",
        "child unset unset b'unset' starts with 'unset' driver 0",
        "exit 0",
        "parent has unset 0",
    ]);
    let fork = python("cpu_python.py")
        .arg("os.fork")
        .policy("exec,cpu,abort")
        .run();
    fork.assert_silent();
    fork.assert_stdout(&[
        "parent 0",
        "child   b'' starts with '' driver 100",
        "exit 7",
        "parent has unset 0",
    ]);
}

/// What runs in the child's place has all devices.
#[test]
fn a_command_in_the_childs_place() {
    let outcome = Program::client("forks")
        .args(["fork", "use"])
        .policy("exec,cpu")
        .env(
            "FORKGUARD_EXEC",
            "sh -c 'echo \"devices ${CUDA_VISIBLE_DEVICES-unset}\"'",
        )
        .run();
    outcome.assert_silent();
    outcome.assert_stdout(&["devices unset", "child exited 0", "parent count 0"]);
}

/// The command is not there: the chain goes on.
#[test]
fn a_command_that_cannot_be_run() {
    let outcome = Program::client("forks")
        .args(["fork", "use"])
        .policy("exec,cpu")
        .env("FORKGUARD_EXEC", "/no/such/command")
        .run();
    outcome.assert_silent();
    outcome.assert_stdout(&["child count 100", "child exited 100", "parent count 0"]);
}
