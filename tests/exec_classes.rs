//! Classes of `__main__` are under `exec` what they are after a fork: with their slots, their full names, all that an
//! enumeration's members hold, the constants that dataclasses keep, ctypes' structures, pointers and callbacks, and
//! objects that hold methods of their own. Fails when a worker sees otherwise than a forked one (the reference is the
//! same program without the guard), when the parent cannot make its answer again, or when its fork is not rewritten.

use forkguard_testkit::{Program, python_with_packages};

fn program(piece: &str) -> Program {
    python_with_packages("exec_classes.py").arg(piece)
}

/// What the driver answers in the worker is the last number of its answer.
fn sees_the_same(piece: &str) {
    let forked = program(piece).bare().run();
    let fresh = program(piece).policy("exec,abort").with_events().run();
    fresh.assert_silent().assert_code(0);
    assert!(forked.stdout.contains(", 3)"), "{}", forked.story());
    assert_eq!(
        forked.stdout.replace(", 3)\n", ", 0)\n"),
        fresh.stdout,
        "{}",
        fresh.story()
    );
    let rewritten = |event: &serde_json::Value| event["event"] == "rewritten";
    assert!(fresh.events().iter().any(rewritten), "{}", fresh.story());
}

macro_rules! pieces {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            sees_the_same(stringify!($name));
        }
    )*};
}

pieces!(slots nested enumerations constants structures by_name);
