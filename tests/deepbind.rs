//! A plug-in opened with `RTLD_DEEPBIND` finds its own libraries before any preloaded one (sanitizers#611): what it
//! does goes around the guard, and must then be as if there were none. Fails when half of its calls are guarded and
//! half are not, so that the guard misjudges it.

use forkguard_testkit::{Program, client};

#[test]
fn as_without_the_guard() {
    for scenario in ["use", "child-clean", "child-teardown", "late", "child-exit"] {
        let program = Program::client("host")
            .arg("deepbind")
            .arg(client("liblinked.so"))
            .arg(scenario);
        let guarded = program.run();
        guarded.assert_silent();
        assert_eq!(
            guarded.code(),
            program.bare().run().code(),
            "{}",
            guarded.story()
        );
    }
}
