//! Objects that pickle cannot carry, or would make again wrongly, cross into a fresh process under `exec` as a fork would
//! have them there: weak references, objects that answer any name, packages whose submodules were imported, locks of
//! another context, finalisers. Fails when a worker sees otherwise than a forked one (the reference is the same program
//! without the guard), or when its fork is not rewritten.

use forkguard_testkit::{Program, python_with_packages};

fn program(piece: &str) -> Program {
    python_with_packages("exec_objects.py").arg(piece)
}

/// What the driver answers in the worker is the last number of its answer.
fn sees_the_same(piece: &str) {
    let forked = program(piece).bare().run();
    let fresh = program(piece).policy("exec,abort").with_events().run();
    fresh.assert_silent().assert_code(0);
    assert!(forked.stdout.contains(", 3)"), "{}", forked.story());
    assert_eq!(
        forked.stdout.replace(", 3)", ", 0)"),
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

pieces!(
    weak_references answers_any_name submodule_of_an_import lock_of_another_context inherited_finalizer
);
