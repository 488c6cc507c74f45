//! Events of many processes that die at once go through one pipe, whose reader is slow, whole and one after the other. Fails
//! when one event begins in the middle of another.

use forkguard_testkit::Program;
use serde_json::Value;

/// Is its own reader: 60 processes wait for a pipe's end and use CUDA at the same moment, each with an event of several
/// pages; the pipe holds a few of them.
const PROGRAM: &str = "
import ctypes, os
reader, writer = os.pipe()
if os.fork():
    os.close(writer)
    while True:
        piece = os.read(reader, 4096)
        if not piece:
            break
        os.write(1, piece)
    os._exit(0)
os.dup2(writer, 9)
os.close(writer)
os.close(reader)
cuda = ctypes.CDLL('libcuda.so.1')
cuda.cuInit(0)
gate, together = os.pipe()
for _ in range(60):
    if os.fork() == 0:
        os.close(together)
        os.read(gate, 1)
        cuda.cuInit(0)
        os._exit(0)
os.close(together)
for _ in range(60):
    os.wait()
";

#[test]
fn whole_and_one_after_the_other() {
    let python = forkguard_testkit::interpreter();
    let program = Program::at(python).args(["-c", PROGRAM]);
    let outcome = program.env("FORKGUARD_REPORT", "fd:9").run();
    let read = outcome.stdout.lines().map(serde_json::from_str);
    let events: Vec<Value> = read
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error}\n{}", outcome.stderr));
    assert_eq!(events.len(), 61, "{}", outcome.stderr);
    let pids = events.iter().map(|event| event["pid"].as_i64());
    assert_eq!(pids.collect::<std::collections::BTreeSet<_>>().len(), 61);
}
