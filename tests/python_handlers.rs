//! A handler of a signal, in C, forks while what it has interrupted is in the middle of the interpreter and has a lock of
//! its: the guard does not touch the interpreter there. Fails by waiting for that lock for ever, or when Python code is run.

use forkguard_testkit::{Program, client, interpreter};

/// A pending call is the interpreter's, whose lock is given back before the call is made.
const PROGRAM: &str = "
import ctypes, sys
if sys.argv[1] == 'forbidden':
    def forbids(event, arguments):
        if event == 'sys.addaudithook':
            raise RuntimeError
    sys.addaudithook(forbids)
interrupts = ctypes.CDLL('libinterrupts.so')
print(ctypes.CDLL('libcuda.so.1').cuInit(0))
has_semaphore = sys.version_info < (3, 13)
calls = []
@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
def call(_):
    calls.append(1)
    return 0
seen = set()
sys.setprofile(lambda frame, event, what: seen.add(frame.f_code.co_filename))
if has_semaphore:
    interrupts.interrupt()
else:
    ctypes.PyDLL('libinterrupts.so').interrupt_now()
ctypes.pythonapi.Py_AddPendingCall(call, None)
while not calls:
    pass
sys.setprofile(None)
print(*(file for file in seen if file.startswith('<forkguard')))
print(ctypes.c_int.in_dll(interrupts, 'forked').value)
";

#[test]
fn a_fork_with_a_lock_of_the_interpreters() {
    for policy in ["abort", "cpu", "exec,abort"] {
        for hooks in ["allowed", "forbidden"] {
            let program = Program::at(interpreter()).args(["-c", PROGRAM, hooks]);
            let outcome = program
                .policy(policy)
                .preload(client("libinterrupts.so"))
                .run();
            outcome.assert_silent().assert_stdout(&["0", "", "1"]);
        }
    }
}
