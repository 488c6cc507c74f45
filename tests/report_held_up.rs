//! A program that goes on is not held up by events that nobody reads: a full pipe, a FIFO without a reader, a socket that
//! is full cost it milliseconds, once, with one line that says so; and what could not be written is counted in the first
//! event that can be. Fails when the guard waits for a reader in a program that has work to do, when it complains again and
//! again, or when an event is torn.

use forkguard_testkit::Program;
use serde_json::Value;

/// Gives itself a descriptor 9 that is full, and becomes the program that it is given.
const FULL: &str = "
import fcntl, os, socket, sys
if sys.argv[1] == 'pipe':
    reader, writer = os.pipe()
else:
    ends = socket.socketpair()
    reader, writer = (end.detach() for end in ends)
os.set_blocking(writer, False)
try:
    while True:
        os.write(writer, b'x' * 4096)
except BlockingIOError:
    os.set_blocking(writer, True)
os.dup2(reader, 8)
os.dup2(writer, 9)
os.execv(sys.executable, [sys.executable, '-c', sys.argv[2]])
";
/// Forks a hundred times under a policy that tells of each; then reads what is there, and forks once more.
const PROGRAM: &str = "
import ctypes, os, time
cuda = ctypes.CDLL('libcuda.so.1')
begin = time.monotonic()
cuda.cuInit(0)
print('initialising', time.monotonic() - begin)

def fork():
    child = os.fork()
    if child == 0:
        cuda.cuInit(0)
        os._exit(0)
    os.waitpid(child, 0)

begin = time.monotonic()
for _ in range(100):
    fork()
print('forks', time.monotonic() - begin)
os.set_blocking(8, False)
try:
    while os.read(8, 1 << 20):
        pass
except BlockingIOError:
    pass
fork()
print('event', os.read(8, 1 << 20).decode().strip())
";

fn seconds(outcome: &forkguard_testkit::Outcome, what: &str) -> f64 {
    let line = outcome
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix(what));
    line.unwrap_or_else(|| panic!("{}", outcome.story()))
        .trim()
        .parse()
        .expect("a number")
}

fn is_not_held_up(by: &str) {
    let python = forkguard_testkit::interpreter();
    let program = Program::at(python)
        .args(["-c", FULL, by, PROGRAM])
        .policy("cpu");
    let outcome = program.env("FORKGUARD_REPORT", "fd:9").run();
    let initialising = seconds(&outcome, "initialising");
    assert!(initialising < 1.0, "{initialising} s\n{}", outcome.story());
    // A patience of its own for each would be a second; a violation's, minutes.
    let forks = seconds(&outcome, "forks");
    assert!(forks < 15.0, "{forks} s\n{}", outcome.story());
    let event = outcome
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("event "));
    let event: Value = serde_json::from_str(event.expect("one")).expect("a whole event");
    assert_eq!(event["event"], "cpu");
    assert_eq!(event["lost"].as_u64(), Some(101), "{event}");
    outcome.assert_says("file descriptor 9: it is full and nobody reads it");
}

#[test]
fn by_a_full_pipe() {
    is_not_held_up("pipe");
}

#[test]
fn by_a_full_socket() {
    is_not_held_up("socket");
}
