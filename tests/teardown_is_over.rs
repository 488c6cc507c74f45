//! What functions that have returned left on the stack does not make a use of CUDA look like the end of the process, or
//! of an object: a generator or a `__del__` that ran just before is over. Fails when such a use goes unreported, or
//! when one that is made while the process ends is reported.

use forkguard_testkit::{Program, python};

#[test]
fn an_address_that_was_left_behind() {
    let outcome = Program::client("leftovers").arg("USE").run();
    outcome
        .assert_stdout(&["child killed by signal 6"])
        .assert_reports("cuInit");
}

#[test]
fn the_same_while_the_process_ends() {
    let outcome = Program::client("leftovers").arg("EXIT").run();
    outcome
        .assert_silent()
        .assert_stdout(&["child: 3", "child exited 7"]);
}

/// Objects are destroyed by the interpreter's own functions, and each leaves something behind: a generator that was
/// not gone through, one that was, and what has a `__del__`. (How it lies is the interpreter's affair: found with 3.8.)
#[test]
fn objects_that_were_destroyed_before() {
    for before in ["unfinished", "finished", "with_del"] {
        let program = format!(
            "
import ctypes, os
driver = ctypes.CDLL('libcuda.so.1')
driver.cuInit(0)
def numbers():
    yield 1
    yield 2
class Ends:
    def __del__(self):
        pass
def unfinished():
    return next(n for n in numbers() if n)
def finished():
    return list(numbers())
def with_del():
    Ends()
def use():
    return driver.cuInit(0)
child = os.fork()
if child == 0:
    {before}()
    print(use(), flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1])
"
        );
        let outcome = python("exec_inline.py").arg(program).run();
        outcome.assert_stdout(&["6"]).assert_reports("cuInit");
    }
}

/// What is destroyed at the moment is not used.
#[test]
fn an_object_that_is_being_destroyed() {
    let program = "
import ctypes, os
driver = ctypes.CDLL('libcuda.so.1')
driver.cuInit(0)
class Ends:
    def __del__(self):
        print('answers', driver.cuCtxSynchronize(), flush=True)
kept = Ends()
child = os.fork()
if child == 0:
    del kept
    os._exit(0)
os.waitpid(child, 0)
";
    let outcome = python("exec_inline.py").arg(program).run();
    assert!(
        outcome.stdout.starts_with("answers 3"),
        "{}",
        outcome.story()
    );
}
