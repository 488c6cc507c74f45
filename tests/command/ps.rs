//! `forkguard ps`: who has initialised CUDA, who was forked from whom, and what became of each.
//!
//! Each family is alone in a pid namespace of its own, where one of it runs the command. Would fail
//! if a process were missing, shown under another one, or said to be in another state than it is; if
//! the command waited for, or were led astray by, what it looks at.

use std::os::unix::fs::PermissionsExt;

use forkguard_testkit::{Outcome, Program, client, marked_line, python, tempfile, with_own_mounts};
use snapbox::cmd::{Command, cargo_bin};
use snapbox::{assert_data_eq, str};

/// The client's scenario, alone.
fn family(scenario: &str) -> Program {
    family_by(scenario, cargo_bin!("forkguard"))
}

fn family_by(scenario: &str, command: &std::path::Path) -> Program {
    python("family.py").arg(scenario).arg(command).alone()
}

fn warned(scenario: &str) -> Outcome {
    let outcome = family(scenario).policy("warn").run();
    outcome.assert_code(0);
    outcome
}

#[test]
fn a_tree() {
    let outcome = warned("tree");
    let line = marked_line("family.py", "# INIT");
    let by = format!("cuInit libffi.so.8 MainThread 0.1.0 family.py:{line} initialise");
    outcome.assert_silent().assert_stdout(&[
        "first unused, under parent, 0, at fork",
        "parent initialised, under None, 0, at initialise",
        "second unused, under parent, 0, at fork",
        "third unused, under second, 0, at fork",
        &by,
    ]);
}

#[test]
fn a_child_whose_parent_has_ended() {
    warned("orphans").assert_silent().assert_stdout(&[
        "orphan unused, under parent, 0, at fork",
        "parent initialised, under None, 0, at initialise",
    ]);
}

#[test]
fn a_child_that_was_warned() {
    warned("used").assert_stdout(&[
        "child 3",
        "idle unused, under parent, 0, at fork",
        "parent initialised, under None, 1, at initialise",
        "user warned, under parent, 1, at fork",
    ]);
}

#[test]
fn a_child_without_cuda() {
    let outcome = family("used").policy("cpu").run();
    outcome.assert_silent().assert_stdout(&[
        "child 100",
        "idle unused, under parent, 0, at fork",
        "parent initialised, under None, 0, at initialise",
        "user absent, under parent, 0, at fork",
    ]);
}

#[test]
fn a_revived_child_begins_a_family() {
    let program = python("family.py").arg("used").arg(cargo_bin!("forkguard"));
    let program = program.with_devices("").alone();
    let outcome = program.policy("revive,abort").run();
    outcome.assert_silent().assert_stdout(&[
        "child 0",
        "idle unused, under parent, 0, at fork",
        "parent initialised, under None, 0, at initialise",
        "user revived, under parent, 0, at fork",
    ]);
}

/// Where a fork is, is made anew only where it is another place than the last time.
#[test]
fn forks_from_other_places() {
    let [odd, even] = ["# ODD", "# EVEN"].map(|mark| marked_line("family.py", mark));
    let turns = [even, odd, even, odd].map(|line| format!("family.py:{line} by_turns"));
    let made = [2, 3, 4, 5].map(|line| format!("place{}.py:{line} at", line - 2));
    let expected: Vec<_> = (turns.iter().chain(&made).enumerate())
        .map(|(index, place)| format!("child{} {place}", index + 1))
        .collect();
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    warned("elsewhere").assert_silent().assert_stdout(&expected);
}

/// The record outlives those that wrote into it.
#[test]
fn children_that_were_ended_for_it() {
    let outcome = family("ended").policy("abort").run();
    outcome.assert_code(0);
    assert_data_eq!(
        outcome.stdout,
        str![[r"
parent initialised, under None, 3, at initialise
of ended 3
PID  USER  AGE  CUDA         INITIALISED, FORKED AT                COMMAND
1    [..] initialised  [..]family.py:[..] initialise  [..]
  policy abort; only asked; 3 violations, by processes now gone; cuInit, through libffi.so.8

"]]
    );
}

#[test]
fn a_context() {
    warned("context").assert_silent().assert_stdout(&[
        "parent initialised, under None, 0, at initialise",
        "context False",
        "parent initialised, under None, 0, at initialise",
        "context True",
    ]);
}

/// Programs that go into the background close all that is open.
#[test]
fn descriptors_that_were_closed() {
    warned("closed").assert_silent().assert_stdout(&[
        "child unused, under parent, 0, at fork",
        "parent initialised, under None, 0, at initialise",
    ]);
}

/// 256 have a place in the record; the others are seen all the same.
#[test]
fn more_children_than_places() {
    let outcome = warned("many");
    outcome.assert_silent();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 302, "{}", outcome.story());
    let forked = |line: &&&str| line.ends_with(" forked, under parent, 0, at initialise");
    assert_eq!(lines.iter().filter(forked).count(), 44);
    assert_eq!(lines.last(), Some(&"known 256"));
}

#[test]
fn places_of_children_that_are_gone() {
    warned("renewed").assert_silent().assert_stdout(&[
        "last unused, under parent, 0, at fork",
        "parent initialised, under None, 0, at initialise",
    ]);
}

/// As a second `forkguard ps` has it, or this one's other threads.
#[test]
fn who_looks_at_a_record_is_not_of_the_family() {
    warned("onlooker")
        .assert_silent()
        .assert_stdout(&["parent initialised, under None, 0, at initialise"]);
}

#[test]
fn two_processes_of_one_number() {
    warned("namespace").assert_stdout(&[
        "inner warned, under parent, 1, at into_namespace",
        "parent initialised, under None, 1, at initialise",
    ]);
}

#[test]
fn a_fork_that_was_not_seen() {
    warned("clone").assert_stdout(&[
        "parent initialised, under None, 1, at initialise",
        "silent forked, under parent, 0, at initialise",
        "user warned, under parent, 1, at -",
    ]);
}

#[test]
fn a_process_that_is_stopped() {
    warned("stopped").assert_silent().assert_stdout(&[
        "child unused, under parent, 0, at fork",
        "parent initialised, under None, 0, at initialise",
    ]);
}

/// Anybody can make a file of that name.
#[test]
fn records_that_are_none() {
    let outcome = family("hostile").run();
    let none = "unknown what it has is no record of forkguard's";
    outcome.assert_silent().assert_stdout(&[
        "parent initialised None",
        &format!("noise {none}"),
        &format!("short {none}"),
        &format!("empty {none}"),
        "random forked None",
        "clean True",
        "marked True",
    ]);
}

/// Takes root, who can be somebody else; others see that there are processes of root's.
#[test]
fn processes_of_another_user() {
    // SAFETY: geteuid takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let everybody = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), everybody).expect("it is ours");
    let command = folder.path().join("forkguard");
    std::fs::copy(cargo_bin!("forkguard"), &command).expect("a copy that nobody may run");
    let outcome = family_by("foreign", &command).run();
    outcome.assert_silent().assert_stdout(&[
        "not looked at True",
        "process of another user was not looked at: run as root to see it)",
    ]);
}

/// Root of a user namespace may list the descriptors of its own user's processes outside, and not look at them.
#[test]
fn processes_of_another_user_namespace() {
    family("namespaced").run().assert_silent().assert_stdout(&[
        "not looked at True",
        "process was not looked at: this root has no right to it)",
    ]);
}

/// What is not shown is not said to be absent.
#[test]
fn a_proc_that_shows_little() {
    let command = cargo_bin!("forkguard").display();
    let outcome = with_own_mounts(&format!("umount -l /proc && {command} ps")).bare();
    outcome
        .run()
        .assert_code(1)
        .assert_stdout(&[])
        .assert_says("forkguard: no process can be looked at: /proc is not mounted");
    // SAFETY: geteuid takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let everybody = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), everybody).expect("it is ours");
    let copy = folder.path().join("forkguard");
    std::fs::copy(cargo_bin!("forkguard"), &copy).expect("a copy that nobody may run");
    let copy = copy.display();
    let script = format!(
        "mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid 65534 --regid 65534 --clear-groups {copy} ps"
    );
    with_own_mounts(&script).bare().run().assert_stdout(&[
        "no process here has initialised CUDA under the guard",
        "(/proc hides other users' processes here: run as root to see them)",
    ]);
}

/// Its places are named by the command: in the program they are addresses.
#[test]
fn a_program_without_python() {
    let outcome = family("native").arg(client("lasting")).run();
    outcome.assert_silent();
    assert_data_eq!(
        outcome.stdout,
        str![[r"
child unused, under program, 0, at lasting+0x[..]
parent initialised, under None, 0, at initialise
program initialised, under parent, 0, at lasting+0x[..]
through lasting

"]]
    );
}

#[test]
fn watched() {
    warned("watched").assert_silent().assert_stdout(&[
        "seen ['parent', 'child']",
        "then ['parent']",
        "ended with 0",
    ]);
}

#[test]
fn as_a_person_reads_it() {
    let outcome = warned("table");
    assert_data_eq!(
        outcome.stdout.clone(),
        str![[r"
PID[..]  USER  AGE  CUDA                INITIALISED, FORKED AT                COMMAND
1 [..]  initialised         [..]family.py:[..] initialise  [..]
│ policy warn; only asked; 1 violation; cuInit, through libffi.so.8
├─ [..]  not used            [..]family.py:[..] fork [..]
├─ [..]  violation, goes on  [..]family.py:[..] fork [..]
└─ [..]  not used            [..]family.py:[..] fork [..]
   └─ [..]  not used            [..]family.py:[..] fork [..]

"]]
    );
    for line in outcome.stdout.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn nobody() {
    family("other")
        .run()
        .assert_silent()
        .assert_stdout(&["no process here has initialised CUDA under the guard"]);
}

#[test]
fn seconds_that_are_none() {
    for seconds in ["0", "-1", "x", "inf", "NaN"] {
        Command::new(cargo_bin!("forkguard"))
            .args(["ps", &format!("--watch={seconds}")])
            .assert()
            .code(2)
            .stderr_eq(str![[r"
error: invalid value '[..]' for '--watch [<SECONDS>]': it takes a number of seconds from 0.1 to 86400

For more information, try '--help'.

"]]);
    }
}
