//! Where `FORKGUARD_EXEC`'s command cannot run, the forked process is as it was, the report says why, and the next
//! policy of the chain acts. Fails when the process is lost, changed, or the reason is missing.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Outcome, Program};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn refused(what: &str, command: &str) -> Outcome {
    Program::client("in_place")
        .arg(what)
        .policy("exec,warn")
        .env("FORKGUARD_EXEC", command)
        .with_events()
        .run()
}

/// The child's own words: it goes on, and nothing of it was changed.
#[track_caller]
fn goes_on(outcome: &Outcome, reason: &str) {
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let [
        _,
        ignored,
        _,
        count,
        closed,
        blocked_now,
        ignored_now,
        ended,
        parent,
    ] = lines[..]
    else {
        panic!("{}", outcome.story());
    };
    assert_eq!(
        [count, closed, ended, parent],
        [
            "count 3",
            "closed on exec 1",
            "child exited 3",
            "parent count 0"
        ],
        "{}",
        outcome.story()
    );
    // SIGUSR2 and SIGTERM are blocked; SIGPIPE is ignored besides what was before.
    assert!(blocked_now.ends_with("4800"), "{}", outcome.story());
    assert_ne!(ignored, ignored_now);
    outcome.assert_reports("cuDeviceGetCount");
    outcome.assert_explains(reason).assert_refused(reason);
}

#[test]
fn a_command_that_is_not_there() {
    for command in [
        "no-such-command a b",
        "/no/such/command",
        "./no-such-command",
    ] {
        goes_on(
            &refused("once", command),
            "was not found, or is not executable",
        );
    }
}

#[test]
fn a_file_that_is_no_program() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "neither\n").expect("the file can be written");
    let path = file.to_str().expect("text");
    goes_on(
        &refused("once", path),
        "was not found, or is not executable",
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it is ours");
    goes_on(
        &refused("once", path),
        "it is no program, and has no #! line",
    );
    fs::write(&file, "#!/no/such/interpreter\n").expect("the file can be written");
    goes_on(
        &refused("once", path),
        "it, or the interpreter that it names, is not there",
    );
}

#[test]
fn an_environment_that_is_too_large() {
    goes_on(
        &refused("huge", "true"),
        "its arguments and the environment are too long",
    );
}

/// What another thread may leave of the environment when it is forked while it changes it.
#[test]
fn an_environment_that_cannot_be_read() {
    goes_on(&refused("broken", "true"), "the environment cannot be read");
}

/// It is tried once: threads that come at the same moment wait for what becomes of it, and go on.
#[test]
fn threads_at_once() {
    let outcome = refused("threads", "no-such-command");
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let expected = [
        "count 3",
        "count 3",
        "count 3",
        "count 3",
        "child exited 0",
        "parent count 0",
    ];
    assert_eq!(lines[3..], expected, "{}", outcome.story());
    let told = outcome.events_named("refused");
    assert_eq!(told.len(), 1, "{}", outcome.story());
}

#[test]
fn it_is_said_where_that_is_asked_for() {
    let outcome = Program::client("in_place")
        .arg("once")
        .policy("exec,warn")
        .env("FORKGUARD_EXEC", "/no/such/command")
        .env("FORKGUARD_VERBOSE", "1")
        .run();
    outcome.assert_says("FORKGUARD_EXEC does not run in its place: the command of FORKGUARD_EXEC (/no/such/command)");
}

#[test]
fn an_exhausted_chain_aborts() {
    let outcome = Program::client("forks")
        .args(["fork", "use"])
        .policy("exec")
        .env("FORKGUARD_EXEC", "no-such-command")
        .run();
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_reports("cuDeviceGetCount");
}

#[test]
fn what_is_for_a_shell_is_said_at_once() {
    let outcome = Program::client("forks")
        .args(["fork", "clean"])
        .policy("exec")
        .env("FORKGUARD_EXEC", "echo $FORKGUARD_PARENT_PID")
        .run();
    outcome
        .assert_stdout(&["child exited 9", "parent count 0"])
        .assert_code(0);
    outcome.assert_says("$ is for a shell, and none runs it");
}

/// Without the policy the variable has no use; who wants to be told things is told so.
#[test]
fn without_the_policy() {
    let program = |policy: &str| {
        Program::client("forks")
            .args(["fork", "use"])
            .policy(policy)
            .env("FORKGUARD_EXEC", "echo in its place")
    };
    let outcome = program("warn").run();
    outcome.assert_stdout(&["child count 3", "child exited 3", "parent count 0"]);
    assert!(
        !outcome.stderr.contains("FORKGUARD_EXEC"),
        "{}",
        outcome.story()
    );
    let outcome = program("warn").env("FORKGUARD_VERBOSE", "1").run();
    outcome.assert_says("FORKGUARD_EXEC is set and has no use");
}
