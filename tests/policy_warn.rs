//! `warn` reports and lets the call fail as it would: same output, same exit status as without the guard, and one
//! full report a process, however often it tries. Fails when the answer is changed or the report repeated.

use forkguard_testkit::Program;

#[test]
fn the_child_fails_as_it_would() {
    for scenario in ["child-use", "child-init", "child-alloc", "child-fallback"] {
        let program = Program::client("roads")
            .args(["dlsym", scenario])
            .policy("warn");
        let guarded = program.run();
        let bare = program.bare().run();
        assert_eq!(
            (&guarded.stdout, guarded.code()),
            (&bare.stdout, bare.code()),
            "{}",
            guarded.story()
        );
        let function = match scenario {
            "child-init" => "cuInit",
            "child-alloc" => "cuMemAlloc_v2",
            _ => "cuDeviceGetCount",
        };
        guarded
            .assert_reports(function)
            .assert_says("(policy warn)");
    }
}
