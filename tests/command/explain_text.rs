//! `forkguard explain` tells a Python program's violation with its source, and a C program's with
//! file and line, which its debug information has.
//!
//! Would fail if frames were in another order, if the program's own lines were folded away or
//! the libraries' not, if a return address were looked up as it stands, or if colours or control
//! characters reached a pipe.

use crate::recorded::{Recorded, roads};

#[test]
fn a_python_program() {
    let recorded =
        Recorded::of([forkguard_testkit::python("workers.py").args(["process", "cuda"])]);
    let explained = recorded.explain().assert().success().stderr_eq("");
    // Where its lines break depends on the pids.
    let prose = String::from_utf8_lossy(&explained.get_output().stdout).replace("\n   ", " ");
    assert!(
        prose.contains("only asked about CUDA: it had no context."),
        "{prose}"
    );
    explained.stdout_eq(
        "\
events.jsonl: 2 events, 1 cause; [..]-[..]-[..] [..]:[..]:[..] UTC

1  CUDA used in a forked process; 1 process aborted (policy abort)
   [..]  workers.py  pid [..]

   CUDA was initialised in pid [..]
...
   ● initialised  [..]:[..]:[..].[..]  pid [..], MainThread [..] cuInit, through libffi.so.[..]
   │   [..]/tests/clients/workers.py:[..]  <module>
   │   ▸ [..] │ print(\"init\", initialise(), flush=True)
   │   [..]/tests/clients/workers.py:[..]  initialise
   │     [..] │ def initialise():
   │   ▸ [..] │     return driver.cuInit(0)  # INIT
...
   │
   ● forked       +[..]s [..] pid [..] → [..], MainThread
   │   [..]/tests/clients/workers.py:[..]  <module>
   │   ▸ [..] │ print(WAY, start(multiprocessing.get_context(\"fork\")), flush=True)
   │   [..]/tests/clients/workers.py:[..]  start
   │     [..] │ if WAY == \"process\":
   │     [..] │     worker = context.Process(target=work, args=(3,))
   │   ▸ [..] │     worker.start()  # FORK process
   │     [..] │     worker.join()
   │     [..] │     return worker.exitcode
   │   multiprocessing/process.py:[..]  [..]start
   │   … [..] frames of multiprocessing
   │   multiprocessing/popen_fork.py:[..]  [..]_launch
   │
   ● used         +[..]s [..] pid [..], MainThread [..] cuDeviceGetCount, through libffi.so.[..]
       … [..] frames as at the fork
...
       [..]/tests/clients/workers.py:[..]  work
         [..] │ if WORK == \"cuda\":
         [..] │     devices = ctypes.c_int()
       ▸ [..] │     return driver.cuDeviceGetCount(ctypes.byref(devices))  # USE
         [..] │ return number * number
...
   fix  fork first and initialise CUDA afterwards: [..]
...
        or let forkguard do it: FORKGUARD_POLICY=exec
",
    );
}

#[test]
fn without_source_only_places_are_told() {
    let recorded =
        Recorded::of([forkguard_testkit::python("workers.py").args(["os.fork", "cuda"])]);
    let outcome = recorded.explain().arg("--no-source").assert().success();
    let text = String::from_utf8_lossy(&outcome.get_output().stdout).into_owned();
    assert!(text.contains("workers.py:"), "{text}");
    assert!(!text.contains("# USE") && !text.contains("▸"), "{text}");
}

#[test]
fn a_c_program_has_its_lines() {
    let recorded = Recorded::of([roads("child-use")]);
    recorded
        .explain()
        .assert()
        .success()
        .stderr_eq("")
        .stdout_eq(
            "\
events.jsonl: 2 events, 1 cause; [..] UTC

1  CUDA used in a forked process; 1 process aborted (policy abort)
...
   ● initialised  [..]  pid [..], MainThread [..] cuInit, called by roads
   │   [..]/tests/clients/roads.c:[..]  main  roads+0x[..]
   │   ▸ [..] │ return run_scenario(&driver, arguments[2]);
   │   [..]/tests/clients/scenarios.c:[..]  run_scenario  roads+0x[..]
...
   │   ▸ [..] │ must(driver->cuInit(0), \"cuInit\");
...
   ● forked       +[..]  pid [..] → [..], MainThread
   │   [..]/tests/clients/roads.c:[..]  main  roads+0x[..]
   │   ▸ [..] │ return run_scenario(&driver, arguments[2]);
...
   │   ▸ [..] │     pid_t child = fork();
...
   ● used         +[..]  pid [..], MainThread [..] cuDeviceGetCount, called by roads
...
       [..]/tests/clients/scenarios.c:[..]  count_devices  roads+0x[..]
...
       ▸ [..] │     CUresult result = cuda->cuDeviceGetCount(&count);
...
   fix  [..]
...
",
        );
}

#[test]
fn all_frames_where_they_are_asked_for() {
    let recorded =
        Recorded::of([forkguard_testkit::python("workers.py").args(["process", "cuda"])]);
    let short = recorded.explained();
    let full = crate::recorded::told(recorded.explain().arg("--full"));
    assert!(full.lines().count() > 2 * short.lines().count(), "{full}");
    for part in [
        "_start",
        "_PyEval_EvalFrameDefault",
        "1 process initialised CUDA",
    ] {
        assert!(
            full.contains(part) && !short.contains(part),
            "{part}\n{full}"
        );
    }
}

#[test]
fn what_a_program_names_cannot_move_the_cursor() {
    let real = Recorded::of([roads("child-use")]).line("violation");
    let evil = real
        .replace("\"symbol\":\"main\"", r#""symbol":"ma\u001b[2Jin\u009b""#)
        .replace("\"argv0\":\"", r#""argv0":"\u001b]0;x\u0007"#)
        .replace("\"thread\":\"", r#""thread":"\u001b[31m"#);
    assert_ne!(evil, real);
    // Without the file that ran, the names are those of the event.
    let evil = evil.replace("/clients/roads", "/clients/gone");
    let recorded = Recorded::with(evil);
    for colour in [false, true] {
        let name = if colour { "CLICOLOR_FORCE" } else { "NO_COLOR" };
        let text = crate::recorded::told(recorded.explain().env(name, "1"));
        assert!(text.contains("ma\u{fffd}[2Jin\u{fffd}"), "{text}");
        for forbidden in ["\x1b[2J", "\x1b]", "\u{9b}", "\x07"] {
            assert!(!text.contains(forbidden), "{text:?}");
        }
        assert_eq!(text.contains('\x1b'), colour, "{text:?}");
    }
}
