//! Python programs that initialised CUDA and do nothing wrong with their children: pools and executors whose workers
//! use no CUDA, `subprocess`, `os.fork`. Fails on one word or one changed result.

use forkguard_testkit::python;

#[test]
fn workers_without_cuda() {
    for way in ["pool", "process", "executor", "os.fork", "subprocess"] {
        let program = python("workers.py").args([way, "clean"]);
        program
            .run()
            .assert_silent()
            .assert_same_as(&program.bare().run());
    }
}
