"""Stands for a CUDA program and the guard at once: forks a child that "violates", and reports as
the guard would, well or in one of the wrong ways that the self-test names.
"""

import json
import os
import signal
import sys
import time

KIND, HOW = sys.argv[1:]
POLICY = os.environ.get("FORKGUARD_POLICY")


def line_of(mark):
    with open(__file__) as source:
        return next(n for n, line in enumerate(source, 1) if line.rstrip().endswith(f"# {mark}"))


def place(mark, pid):
    line = line_of(mark) + (1 if mark == "USE" and HOW == "wrong-line" else 0)
    # A clock that never goes back, so that the three places are in their order.
    now = 0 if mark == "USE" and HOW == "time-goes-back" else time.monotonic()
    return {"pid": pid, "time": now, "native": [], "python": [{"file": __file__, "line": line, "function": "main"}]}


def report(parent, child):
    places = {
        "initialised": place("INIT", child if HOW == "own-pid" else parent),
        "forked": place("FORK", parent),
        "used": place("USE", child),
    }
    if HOW != "no-text":
        print("forkguard: CUDA used in a forked process; pretended\n", file=sys.stderr)
        for number, (name, told) in enumerate(places.items(), 1):
            frame = told["python"][0]
            print(f"  {number} {name}  pid {told['pid']}", file=sys.stderr)
            print(f"      pretend.py:{frame['line']}   main", file=sys.stderr)
        print("\n  fix  start the workers with spawn", file=sys.stderr, flush=True)
    event = {
        "schema": 1, "event": "violation", "time": time.time(), "pid": child, "ppid": parent,
        "exe": "/pretend", "argv0": "pretend", "policy": POLICY, "library": "libpretend.so",
        "function": "cuOther" if HOW == "wrong-function" else "cuPretend",
        "advice": [] if HOW == "no-advice" else ["use spawn"], **places,
    }
    with open(os.environ["FORKGUARD_REPORT"], "a") as events:
        if HOW == "bad-json":
            events.write("{half a line\n")
        elif HOW != "no-event":
            events.write((json.dumps(event) + "\n") * (2 if HOW == "twice" else 1))


def child(parent):
    if KIND == "hang":
        print("operation starts", flush=True)
    if POLICY in ("abort", "warn") and HOW != "never":
        time.sleep(2.5 if HOW == "late" else 0)
        report(parent, os.getpid())
        if POLICY == "abort" and HOW != "survives":
            signal.signal(signal.SIGABRT, signal.SIG_DFL)
            os.abort()
    if KIND == "hang":
        time.sleep(4)
    if not (HOW == "eats-stderr" and POLICY):
        print("a framework's own warning 17", file=sys.stderr, flush=True)
    print("child sees another error" if HOW == "other-result" and POLICY else "child sees the error", flush=True)
    os._exit(0)  # USE


def tell(name, **more):
    with open(os.environ["FORKGUARD_REPORT"], "a") as events:
        events.write(json.dumps({"schema": 1, "event": name, **more}) + "\n")


def carry():
    """As a program of two children does, 11 and 12, that have CUDA of their own (`revive`), in which CUDA is absent
    (`cpu`), or of which the first is refused and aborts (`revive,abort`)."""
    if not POLICY:
        print("child: refused", flush=True)
        return
    print("child: wrong" if HOW == "other-result" else "child: served", flush=True)
    parent = os.getpid()
    if POLICY == "revive,abort":
        tell("refused", pid=11, reason="no image" if HOW == "other-reason" else "the runtime is initialised")
        if HOW != "never":
            tell("violation", pid=11)
        if HOW != "mute":
            why = "no image" if HOW == "other-words" else "the runtime\n       library is up"
            print(f"forkguard: CUDA used in a forked process\n\n  revive: {why}", file=sys.stderr)
        return
    carried(parent)
    if HOW == "bad-json":
        with open(os.environ["FORKGUARD_REPORT"], "a") as events:
            events.write("{half a line\n")
    if HOW in ("violation", "refused"):
        tell(HOW, pid=12, reason="no image")
    if POLICY == "cpu" and HOW != "mute":
        words = "something else" if HOW == "other-words" else "CUDA is absent in this process"
        print(f"forkguard: {words}\na framework falls back to the CPU", file=sys.stderr)
    if HOW == "speaks":
        print("forkguard: hello", file=sys.stderr)
    if HOW == "noisy":
        print("Traceback (most recent call last):", file=sys.stderr)


def carried(parent):
    """The events of the children."""
    times = {} if HOW == "no-times" else {"took_us": 3500 if HOW == "slow" else 800, "driver_us": 9900}
    for child in (11, 12):
        if HOW == "none-absent" or child == 12 and HOW == "one-less":
            continue
        pid = 11 if HOW == "same-pid" else child
        first = pid if HOW == "own-parent" else parent
        places = {} if HOW == "no-places" else {
            "initialised": {"pid": first}, "forked": {"pid": parent}, "used": {"pid": pid}}
        tell("revived" if POLICY == "revive" else "cpu", pid=pid, **places, **(times if POLICY == "revive" else {}))


def serve():
    """As a program of two workers does that became fresh processes, 11 and 12."""
    if not POLICY:
        print("answer: refused", flush=True)
        return
    tell("initialised", pid=os.getpid())
    for child in (11, 12):
        if HOW == "refused":
            tell("refused", reason="a generator cannot cross")
        elif child == 11 or HOW != "one-start":
            tell("rewritten", pid=os.getpid(), child=child, took_us=8000, carried_bytes=2048)
        if child == 11 or HOW != "mute":
            told = {"fork": "a fork of its parent", "template": "fresh, of the template"}
            print("worker:", told.get(HOW, "fresh, executed"), flush=True)
        if HOW != "some-all-idle" and (child == 11 or HOW not in ("inherits", "some-idle")):
            tell("initialised", pid=child)
    if HOW == "violation":
        tell("violation", pid=12)
    if HOW == "speaks":
        print("forkguard: hello", file=sys.stderr)
    print(f"answer: {5 if HOW == 'other-result' else 4}", flush=True)


def main():
    if KIND == "served":
        serve()
        return
    if KIND == "carried":
        carry()
        sys.exit(3 if POLICY and HOW == "other-code" else 0)
    if KIND == "stuck":
        time.sleep(60)
    parent = os.getpid()  # INIT
    if KIND != "silent":
        pid = os.fork()  # FORK
        if pid == 0:
            child(parent)
        print(f"child exit: {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}", flush=True)
    if POLICY and HOW in ("noisy", "noise-when-off"):
        print("forkguard: hello", file=sys.stderr)
    if POLICY and HOW in ("event-only", "initialised-event"):
        kind = "violation" if HOW == "event-only" else "initialised"
        with open(os.environ["FORKGUARD_REPORT"], "a") as events:
            events.write(json.dumps({"schema": 1, "event": kind}) + "\n")
    sys.exit(3 if POLICY and HOW == "other-code" else 0)


main()
