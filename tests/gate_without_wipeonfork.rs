//! On a kernel that does not know `MADV_WIPEONFORK` (a filter makes it answer EINVAL) the child's side of fork clears
//! the gate's table, so the fork family is still seen. Fails when the guard relies on the kernel alone, or complains
//! on standard error about a kernel that it can work with.

use forkguard_testkit::{Program, client};

fn without(name: &str) -> Program {
    Program::client("nowipe").arg(client(name))
}

#[test]
fn fork_is_seen() {
    for way in ["fork", "_Fork", "thread", "grandchild"] {
        let outcome = without("forks").args([way, "use"]).run();
        assert!(
            outcome.stdout.contains("child killed by signal 6"),
            "{}",
            outcome.story()
        );
        outcome.assert_code(0).assert_reports("cuDeviceGetCount");
    }
}

#[test]
fn a_clean_program_is_silent() {
    for scenario in ["use", "late", "child-clean", "child-harmless"] {
        let program = without("roads").args(["dlsym", scenario]);
        program
            .run()
            .assert_silent()
            .assert_same_as(&program.bare().run());
    }
}
