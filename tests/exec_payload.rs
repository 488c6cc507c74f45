//! What a fresh process is given is read by that process and by nobody else, and cannot be changed by anyone; and it
//! runs what came from its parent's memory, not what lies about. Fails when the memory is not sealed, when a process
//! has another one's, or when a module in the working directory, or a start-up file, runs before the program's code.

use std::fs;

use forkguard_testkit::{Program, python_with_packages, tempfile};

/// Looks at what the process was given, before anything of the guard's runs in it.
const LOOK: &str = "
import errno, fcntl, os, sys
def refused(call):
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno]
if sys.orig_argv[-1:] == ['--multiprocessing-fork'] if hasattr(sys, 'orig_argv') else sys.argv[-1:] == ['-c']:
    for fd in map(int, os.listdir('/proc/self/fd')):
        try:
            target = os.readlink('/proc/self/fd/%d' % fd)
        except OSError:
            continue
        if 'forkguard-payload' in target:
            seals = fcntl.fcntl(fd, 1034)
            os.write(1, b'%d %s %s %s\\n' % (seals, *(refused(call).encode() for call in (
                lambda: os.pwrite(fd, b'x', 0), lambda: os.ftruncate(fd, 0), lambda: fcntl.fcntl(fd, 1033, 0)))))
";

fn payload(way: &str) -> Program {
    python_with_packages("exec_payload.py")
        .arg(way)
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", "0")
}

/// `F_SEAL_SEAL`, `_SHRINK`, `_GROW` and `_WRITE`; and what these forbid is forbidden.
#[test]
fn nobody_can_change_it() {
    let customize = tempfile::tempdir().expect("a directory");
    fs::write(customize.path().join("sitecustomize.py"), LOOK).expect("a file in it");
    let outcome = payload("sealed").env("PYTHONPATH", customize.path()).run();
    outcome
        .assert_silent()
        .assert_stdout(&["15 EPERM EPERM EPERM", "True [] True"]);
}

#[test]
fn nobody_has_anothers() {
    payload("passed_on")
        .run()
        .assert_silent()
        .assert_stdout(&["48 True []", "[]"]);
}

#[test]
fn nothing_else_runs() {
    let traps = tempfile::tempdir().expect("a directory");
    let trap = "import os; os.write(2, b'trap\\n'); os._exit(9)";
    for name in [
        "_forkguard",
        "importlib",
        "io",
        "marshal",
        "mmap",
        "multiprocessing",
        "os",
        "pickle",
        "posix",
        "signal",
        "struct",
        "types",
        "usercustomize",
        "startup",
    ] {
        fs::write(traps.path().join(name).with_extension("py"), trap).expect("a file in it");
    }
    let outcome = payload("alone")
        .arg(traps.path())
        .env("PYTHONSTARTUP", traps.path().join("startup.py"))
        .run();
    outcome.assert_silent().assert_stdout(&["True [] True"]);
}
