//! `FORKGUARD_EXEC=CMD`: a forked process that uses CUDA becomes CMD: the same pid, descriptors and environment, the
//! signals of a program that has just begun, the guard still there, and CUDA of its own. Fails when any of these is
//! another, when the parent is told another pid or exit code, or when the guard says a word.

use forkguard_testkit::{Outcome, Program, client, with_own_mounts};

/// What the command says of itself, and its exit code.
const TELLS: &str = "sh -c 'echo me $$ of $FORKGUARD_PARENT_PID by $FORKGUARD_FUNCTION, restarted \
                     ${FORKGUARD_RESTARTED-no}, set ${SET_BY_THE_PROGRAM-no}; grep -E \"Sig(Blk|Ign)\" /proc/self/status; \
                     echo a word >&9; exit 5'";

fn in_place(what: &str, command: &str) -> Program {
    Program::client("in_place")
        .arg(what)
        .policy("exec,abort")
        .env("FORKGUARD_EXEC", command)
}

fn lines(outcome: &Outcome) -> Vec<&str> {
    outcome.stdout.lines().collect()
}

#[test]
fn what_the_command_finds() {
    let outcome = in_place("once", TELLS).with_events().run();
    outcome.assert_silent();
    let lines = lines(&outcome);
    let [
        blocked,
        ignored,
        child,
        me,
        its_blocked,
        its_ignored,
        piped,
        ended,
        parent,
    ] = lines[..]
    else {
        panic!("{}", outcome.story());
    };
    let pids: Vec<&str> = child.split(' ').skip(1).step_by(2).collect();
    assert_eq!(
        me,
        format!(
            "me {} of {} by cuDeviceGetCount, restarted no, set yes",
            pids[0], pids[1]
        )
    );
    assert_eq!((its_blocked, its_ignored), (blocked, ignored));
    assert_eq!(
        [piped, ended, parent],
        [
            "through the pipe: a word",
            "child exited 5",
            "parent count 0"
        ]
    );

    let events = outcome.events();
    let rewritten = events.iter().find(|event| event["event"] == "rewritten");
    let rewritten = rewritten.unwrap_or_else(|| panic!("no event says it\n{}", outcome.story()));
    assert_eq!(rewritten["pid"].to_string(), pids[0]);
    assert_eq!(rewritten["child"].to_string(), pids[0]);
    // Its arguments are told where a program's are.
    assert_eq!(rewritten["process"], "sh");
    assert_eq!(rewritten["function"], "cuDeviceGetCount");
    assert_eq!(rewritten["forked"]["pid"].to_string(), pids[1]);
    assert_eq!(rewritten["used"]["pid"].to_string(), pids[0]);
    assert!(
        !events.iter().any(|event| event["event"] == "violation"),
        "{}",
        outcome.story()
    );
}

/// Signals that the program was started with, ignored (as by nohup), stay so.
#[test]
fn signals_that_were_ignored_at_the_start() {
    let ignoring = |command: &str| format!("trap '' HUP USR1; exec {command}");
    let outcome = Program::at("sh")
        .args([
            "-c",
            &ignoring(&format!("{} once", client("in_place").display())),
        ])
        .policy("exec,abort")
        .env("FORKGUARD_EXEC", TELLS)
        .run();
    outcome.assert_silent();
    let lines = lines(&outcome);
    assert_eq!(lines[0..2], lines[4..6], "{}", outcome.story());
    let ignored = lines[1].trim_start_matches("SigIgn:").trim();
    let ignored = u64::from_str_radix(ignored, 16).expect("a number");
    assert_eq!(ignored & 0x201, 0x201, "{}", outcome.story());
}

#[test]
fn the_command_has_cuda_and_the_guard() {
    // It uses CUDA, forks, and its own child's use is seen: in the place of that one nothing runs.
    let command = format!("{} dlsym child-use", client("roads").display());
    let outcome = in_place("once", &command).run();
    let said = lines(&outcome);
    let expected = [
        "child killed by signal 6",
        "parent count 0",
        "child exited 0",
        "parent count 0",
    ];
    assert_eq!(said[3..], expected, "{}", outcome.story());
    outcome.assert_reports("cuDeviceGetCount");
    outcome.assert_says("FORKGUARD_PARENT_PID is");
}

/// A program that takes the guard out of its environment does not take it out of the command's.
#[test]
fn the_guard_stays() {
    let command = "sh -c 'echo $LD_PRELOAD; echo $FORKGUARD_POLICY'";
    let outcome = in_place("bare", command).run();
    outcome.assert_silent();
    let lines = lines(&outcome);
    let library = forkguard_testkit::library();
    assert_eq!(
        lines[3..5],
        [library.to_str().expect("text"), "exec,abort"],
        "{}",
        outcome.story()
    );
}

#[test]
fn however_it_was_forked() {
    let command = "sh -c 'test $FORKGUARD_PARENT_PID = $PPID && echo in its place; exit 6'";
    for way in [
        "_Fork",
        "forkpty",
        "thread",
        "init-thread",
        "clone",
        "clone3",
        "grandchild",
    ] {
        let outcome = Program::client("forks")
            .args([way, "use"])
            .policy("exec,abort")
            .env("FORKGUARD_EXEC", command)
            .run();
        outcome.assert_silent();
        let ended = if way == "grandchild" {
            "grandchild exited 6"
        } else {
            "child exited 6"
        };
        let lines = lines(&outcome);
        assert_eq!(lines[0].trim_end(), "in its place", "{}", outcome.story());
        assert_eq!(lines[1], ended, "{}", outcome.story());
    }
}

/// Of threads that use CUDA at once, none goes on.
#[test]
fn threads_at_once() {
    let outcome = in_place("threads", "echo instead of all").run();
    outcome.assert_silent();
    assert_eq!(
        lines(&outcome)[3..],
        ["instead of all", "child exited 0", "parent count 0"]
    );
}

#[test]
fn a_child_that_leaves_cuda_alone_stays() {
    let outcome = Program::client("forks")
        .args(["fork", "clean"])
        .policy("exec,abort")
        .env("FORKGUARD_EXEC", "echo in its place")
        .run();
    outcome
        .assert_silent()
        .assert_stdout(&["child exited 9", "parent count 0"]);
}

/// What is open on the GPU's driver belongs to the parent's CUDA; whatever else is open crosses.
#[test]
fn the_drivers_descriptors_stay_behind() {
    // A folder of our own over /dev, in a mount namespace of its own.
    let script = format!(
        "mount -t tmpfs none /dev && : >/dev/nvidia0 && : >/dev/ours && exec 7</dev/nvidia0 8</dev/ours && exec {} once",
        client("in_place").display()
    );
    let outcome = with_own_mounts(&script)
        .policy("exec,abort")
        .env(
            "FORKGUARD_EXEC",
            "sh -c 'for fd in 7 8 9; do test -e /proc/$$/fd/$fd && echo has $fd; done'",
        )
        .run();
    outcome.assert_silent();
    assert_eq!(
        lines(&outcome)[3..],
        ["has 8", "has 9", "child exited 0", "parent count 0"]
    );
}

/// `FORKGUARD_VERBOSE=1` says what runs.
#[test]
fn it_is_said_where_that_is_asked_for() {
    let outcome = in_place("once", "true").env("FORKGUARD_VERBOSE", "1").run();
    outcome.assert_says(
        "used CUDA in a forked process (cuDeviceGetCount); FORKGUARD_EXEC runs in its place: true",
    );
}
