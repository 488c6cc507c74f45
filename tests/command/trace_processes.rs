//! `forkguard trace` tells of every process and thread that had to do with CUDA, and of none that had not. Would fail
//! if it named the wrong process or thread, missed a forked child's use, or saw nothing of a native program.

use forkguard_testkit::client;
use snapbox::{assert_data_eq, str};

use crate::watching::{forkguard, of_python};

#[test]
fn nobody() {
    let outcome = of_python(forkguard("trace"), &["later.py", "nobody"]).run();
    outcome.assert_code(0).assert_stdout(&["done"]);
    assert_data_eq!(&outcome.stderr, "forkguard: nobody initialised CUDA\n");
}

#[test]
fn a_thread_is_named() {
    let outcome = of_python(forkguard("trace"), &["later.py", "thread"]).run();
    assert_data_eq!(
        &outcome.stderr,
        str![[r"
forkguard: CUDA was initialised first by pid [..], [..]s after the start, at later.py:14

  pid [..]  python[..]
    initialised  [..]s  [..]  cuInit, through [..]
      later.py:14 initialise
    only asked   no context was made

"]]
    );
    assert!(
        !outcome.stderr.contains("MainThread"),
        "{}",
        outcome.story()
    );
}

#[test]
fn what_the_program_starts_is_seen() {
    let outcome = of_python(forkguard("trace"), &["later.py", "subprocess"]).run();
    outcome.assert_stdout(&["done", "done"]);
    assert_data_eq!(
        &outcome.stderr,
        str![[r"
forkguard: CUDA was initialised first by pid [..], [..]s after the start, at later.py:14

  pid [..]  python[..], a child of pid [..]
    initialised  [..]s  MainThread  cuInit, through [..]
      later.py:14 initialise
    only asked   no context was made

"]]
    );
}

#[test]
fn a_forked_child_that_uses_it() {
    let outcome = of_python(forkguard("trace"), &["later.py", "child"]).run();
    outcome.assert_code(0).assert_stdout(&["done"]);
    assert_data_eq!(
        &outcome.stderr,
        str![[r"
forkguard: CUDA was initialised first by pid [..], [..]s after the start, at later.py:14

  pid [..]  python[..]
    initialised  [..]s  MainThread  cuInit, through [..]
      later.py:14 initialise
    only asked   no context was made

  pid [..]  python[..], a child of pid [..]
    used CUDA after a fork, which the driver refuses; initialised in pid [..]
    forked       [..]s  MainThread  fork, through [..]
      later.py:27 <module>
    used         [..]s  MainThread  cuInit, through [..]
      later.py:14 initialise
      fix  [..]
...

"]]
    );
}

#[test]
fn what_many_children_should_do_is_told_once() {
    let outcome = of_python(forkguard("trace"), &["later.py", "children"]).run();
    let count = |text| outcome.stderr.matches(text).count();
    assert_eq!(count("used CUDA after a fork"), 4, "{}", outcome.story());
    assert_eq!(count("fix  as for pid"), 3, "{}", outcome.story());
    assert_eq!(count("fix  fork first"), 1, "{}", outcome.story());
    outcome.assert_says("  3 more processes did as pid ");
}

#[test]
fn a_native_program_has_native_frames() {
    let outcome = forkguard("trace")
        .arg("--")
        .arg(client("roads"))
        .args(["dlsym", "use"])
        .run();
    outcome.assert_code(0);
    assert_data_eq!(
        &outcome.stderr,
        str![[r"
forkguard: CUDA was initialised first by pid [..], [..]s after the start

  pid [..]  roads
    initialised  [..]s  MainThread  cuInit, through roads
      [..] in roads
...
    context      [..]s  MainThread  cuDevicePrimaryCtxRetain, through roads
      roads[..]
...

"]]
    );
}

#[test]
fn a_driver_that_fails_was_asked() {
    let outcome = of_python(forkguard("trace"), &["later.py", "itself"])
        .env("FAKE_CUDA_INIT_RESULT", "804")
        .run();
    outcome.assert_code(0);
    assert_data_eq!(
        &outcome.stderr,
        str![[r"
forkguard: CUDA was asked for first by pid [..], [..]s after the start, at later.py:14; nobody initialised it: cuInit failed

  pid [..]  python[..]
    asked for    [..]s  MainThread  cuInit, through [..]
      later.py:14 initialise
      the driver answered CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE (804)

"]]
    );
}

#[test]
fn a_policy_of_the_users_stands() {
    // Under `abort` the child's report comes first, and the trace tells the same.
    let outcome = of_python(forkguard("trace"), &["later.py", "child"])
        .policy("abort")
        .run();
    outcome
        .assert_reports("cuInit")
        .assert_says("used CUDA after a fork");
}
