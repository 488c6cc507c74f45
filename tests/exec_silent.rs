//! `exec` leaves alone what has nothing to do with it: forks before CUDA was initialised, programs without CUDA, named
//! semaphores. Fails when a fork is rewritten too early, or when the semaphores cost more than one descriptor for 64.

use forkguard_testkit::python_with_packages;

const BEFORE: &str = "
import ctypes, multiprocessing, os
context = multiprocessing.get_context('fork')
def work(queue):
    driver = ctypes.CDLL('libcuda.so.1')
    queue.put((os.getppid(), open('/proc/self/cmdline', 'rb').read().endswith(b'-fork\\0'), driver.cuInit(0)))
queue = context.SimpleQueue()
process = context.Process(target=work, args=(queue,))
process.start()
process.join()
parent, fresh, init = queue.get()
print(parent == os.getpid(), fresh, init)
";

const SEMAPHORES: &str = "
import multiprocessing, os
def count():
    return len(os.listdir('/proc/self/fd'))
before = count()
locks = [multiprocessing.get_context('fork').Lock() for _ in range(130)]
print(count() - before)
del locks
print(count() - before <= 1)
";

fn program(source: &str) -> forkguard_testkit::Program {
    python_with_packages("exec_inline.py").arg(source)
}

#[test]
fn a_fork_before_cuda_stays_a_fork() {
    let outcome = program(BEFORE).policy("exec,abort").with_events().run();
    outcome.assert_silent().assert_stdout(&["True False 0"]);
    let rewritten = |event: &serde_json::Value| event["event"] == "rewritten";
    assert!(
        !outcome.events().iter().any(rewritten),
        "{}",
        outcome.story()
    );
}

#[test]
fn semaphores_cost_a_descriptor_for_64() {
    let outcome = program(SEMAPHORES).policy("exec").run();
    outcome.assert_silent().assert_stdout(&["3", "True"]);
    let other = program(SEMAPHORES).policy("abort").run();
    other.assert_silent().assert_stdout(&["0", "True"]);
}
