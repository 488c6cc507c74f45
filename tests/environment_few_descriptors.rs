//! With 64 descriptors, and with not one left at the moment of the report, the report is made. Fails when the guard
//! keeps descriptors of its own or needs a new one to speak.

use forkguard_testkit::{Program, client};

#[test]
fn sixty_four() {
    let outcome = Program::at("/bin/sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" dlsym child-use"])
        .arg(client("roads"))
        .run();
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_reports("cuDeviceGetCount");
}

#[test]
fn none_left() {
    const PROGRAM: &str = r#"
import ctypes, os, resource, signal
cuda = ctypes.CDLL("libcuda.so.1")
count = ctypes.c_int()
assert cuda.cuInit(0) == 0
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
child = os.fork()
if child == 0:
    try:
        while True:
            os.dup(0)
    except OSError:
        pass
    cuda.cuDeviceGetCount(ctypes.byref(count))
    os._exit(3)
status = os.waitpid(child, 0)[1]
print(os.WIFSIGNALED(status) and os.WTERMSIG(status))
"#;
    let outcome = Program::at(forkguard_testkit::interpreter())
        .args(["-c", PROGRAM])
        .run();
    outcome
        .assert_stdout(&["6"])
        .assert_reports("cuDeviceGetCount");
}
