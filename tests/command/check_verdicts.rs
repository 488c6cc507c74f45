//! `forkguard check` ends with 1 when CUDA was initialised or asked for, 0 when not, 2 when nothing can be said, and
//! says which. Would fail if a verdict were another one's, or if the culprit were not named.

use forkguard_testkit::{Program, library};
use snapbox::cmd::cargo_bin;
use snapbox::{assert_data_eq, str};

use crate::watching::{folder, forkguard, of_python};

#[test]
fn an_import_that_initialises_is_the_culprit() {
    let outcome = of_python(forkguard("check"), &["-c", "import pkg"]).run();
    outcome.assert_code(1);
    assert_data_eq!(
        &outcome.stderr,
        str![[r"
forkguard: CUDA was initialised first by pid [..], [..]s after the start, at pkg/gpu.py:15

  pid [..]  python[..]
    initialised  [..]s  MainThread  cuInit, through [..]
      pkg/gpu.py:15 <module>   pkg/gpu.py:8 ask
      imported by  <string>:1 > pkg/__init__.py:2 > pkg/gpu.py:15
    only asked   no context was made

  fix  move what pkg/gpu.py:15 does into a function that is called when a GPU is needed: importing
       should leave CUDA alone

"]]
    );
}

#[test]
fn an_attempt_counts() {
    of_python(forkguard("check"), &["later.py", "subprocess"])
        .env("FAKE_CUDA_INIT_RESULT", "100")
        .run()
        .assert_code(1)
        .assert_says("CUDA was asked for first by pid");
}

#[test]
fn a_culprit_is_one_however_it_ends() {
    for how in ["code", "signal"] {
        of_python(forkguard("check"), &["later.py", how])
            .run()
            .assert_code(1);
    }
}

#[test]
fn who_leaves_cuda_alone_is_told_so() {
    let check = || of_python(forkguard("check"), &["later.py", "nobody"]);
    let outcome = check().run();
    outcome.assert_code(0).assert_stdout(&["done"]);
    assert_data_eq!(&outcome.stderr, "forkguard: CUDA was not initialised\n");
    of_python(forkguard("check").arg("-q"), &["later.py", "nobody"])
        .run()
        .assert_silent();
}

#[test]
fn of_a_program_that_failed_nothing_can_be_said() {
    for (how, said) in [
        ("fail", "the program failed with exit code 3"),
        ("killed", "the program was killed by signal 9"),
    ] {
        of_python(forkguard("check"), &["later.py", how])
            .run()
            .assert_code(2)
            .assert_says(said);
    }
}

/// A daemon may do anything yet.
#[test]
fn of_what_goes_on_nothing_can_be_said() {
    let outcome = of_python(forkguard("check"), &["outlives.py"]).run();
    outcome.assert_code(2);
    assert_data_eq!(
        &outcome.stderr,
        str![[r"
forkguard: nothing can be said: pid [..] (python[..]), which the program started, goes on, and is no longer watched; up to now CUDA was not initialised

"]]
    );
}

/// As containers' entry points do, and servers that are told a user.
#[test]
fn a_process_that_became_another_user_is_seen() {
    // SAFETY: geteuid takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    for mask in ["022", "077"] {
        let command = Program::at("sh")
            .bare()
            .args([
                "-c",
                "umask \"$0\" && cd \"$1\" && shift && exec \"$@\"",
                mask,
            ])
            .arg(folder())
            .arg(cargo_bin!("forkguard"))
            .args(["check", "--library"])
            .arg(library());
        let outcome = of_python(command, &["later.py", "dropped"]).run();
        outcome
            .assert_code(1)
            .assert_says("CUDA was initialised first by pid");
        assert!(
            !outcome.stderr.contains("could not write"),
            "{}",
            outcome.story()
        );
    }
}

/// Helpers end when they see that their program has: what they do until then is seen.
#[test]
fn who_ends_soon_after_the_program_is_waited_for() {
    for (what, code) in [("late", 1), ("late-nobody", 0)] {
        of_python(forkguard("check"), &["later.py", what])
            .run()
            .assert_code(code);
    }
}

#[test]
fn what_cannot_be_started_is_2() {
    forkguard("check")
        .args(["--", "no-such-program"])
        .run()
        .assert_code(2)
        .assert_says("forkguard: no-such-program cannot be started: no such file or directory");
}

#[test]
fn the_check_holds_under_off() {
    of_python(forkguard("check"), &["later.py", "itself"])
        .policy("off")
        .run()
        .assert_code(1);
}
