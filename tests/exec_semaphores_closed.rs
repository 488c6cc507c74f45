//! A program that closes every descriptor it does not know (a daemon does) closes the one that its locks would cross
//! by: the lock goes on, no other file is taken for it, and a worker that needs it stays a fork for a reason that names
//! it. Locks made later cross. Fails when a worker gets a lock of its own, which nobody else holds.

use forkguard_testkit::python_with_packages;

const CLOSES: &str = "
import ctypes, multiprocessing, os
context = multiprocessing.get_context('fork')
before = context.Lock()
value = context.Value('i', 0, lock=False)
def work(lock):
    with open('/proc/self/cmdline', 'rb') as line:
        value.value = 1 + line.read().endswith(b'-fork\\0')
    with lock:
        pass
def start(lock):
    value.value = 0
    process = context.Process(target=work, args=(lock,))
    with lock:
        process.start()
        while not value.value and process.is_alive():
            process.join(0.01)
        waits = process.is_alive()
    process.join()
    print(['', 'a fork', 'fresh'][value.value], waits, process.exitcode)
assert ctypes.CDLL('libcuda.so.1').cuInit(0) == 0
start(before)
for fd in range(500, 600):
    try:
        os.close(fd)
    except OSError:
        pass
start(before)
os.dup2(2, 500)
start(before)
start(context.Lock())
";

#[test]
fn a_lock_whose_descriptor_is_closed() {
    let outcome = python_with_packages("exec_inline.py")
        .arg(CLOSES)
        .policy("exec,warn")
        .env("FORKGUARD_TEMPLATE", "0")
        .with_events()
        .run();
    outcome.assert_silent().assert_stdout(&[
        "fresh True 0",
        "a fork True 0",
        "a fork True 0",
        "fresh True 0",
    ]);
    let events = outcome.events();
    let refused = events.iter().filter(|event| event["event"] == "refused");
    let reasons: Vec<_> = refused.map(|event| event["reason"].to_string()).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    for reason in reasons {
        assert!(reason.contains("whose fd the program closed"), "{reason}");
    }
}
