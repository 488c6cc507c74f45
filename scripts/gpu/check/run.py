"""Runs one program under one policy, and brings back everything that can be seen of it.

Each run has a folder, a process group and a time limit of its own. At the limit the group is
killed, so that a child that hangs (JAX) never outlives its run.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from check.cases import WAYS

BARE = "bare"
OPERATION = "operation starts"


@dataclass
class Outcome:
    """What one run showed."""

    stdout: str = ""
    stderr: str = ""
    code: int | None = None
    timed_out: bool = False
    seconds: float = 0.0
    events: list = field(default_factory=list)
    bad_events: list = field(default_factory=list)
    # Seconds from the child's "operation starts" to the guard's first word, where both were seen.
    delay: float | None = None


class _Reader(threading.Thread):
    """Drains one pipe line by line and remembers when each line came."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe = pipe
        self.lines = []
        self.start()

    def run(self):
        for line in iter(self.pipe.readline, b""):
            self.lines.append((time.monotonic(), line.decode("utf-8", "replace")))

    def text(self):
        return "".join(line for _, line in list(self.lines))

    def first(self, words):
        return next((when for when, line in list(self.lines) if words in line), None)


def clean_environment(work):
    """The environment that every run starts from: no guard, no surprises between two runs."""
    env = {
        key: value
        for key, value in os.environ.items()
        if key != "LD_PRELOAD" and not key.startswith("FORKGUARD_")
    }
    env["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    env["CUPY_CACHE_DIR"] = str(work / "cupy")
    env["GPU_CHECK_SAMPLE"] = str(work / "sample.h264")
    return env


def run(command, case, policy, env, lib, folder, limit):
    """Runs `command` under `policy` (or bare) in `folder`, and returns its Outcome."""
    folder.mkdir(parents=True)
    events = folder / "events.jsonl"
    env = {**env, **case.env, "TMPDIR": str(folder)}
    if policy != BARE:
        env.update(WAYS.get(policy, {"FORKGUARD_POLICY": policy}))
        env["FORKGUARD_REPORT"] = str(events)
        env.update(case.guard)
        if lib:
            env["LD_PRELOAD"] = str(lib)
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    out, err = _Reader(process.stdout), _Reader(process.stderr)
    result = Outcome()
    try:
        result.code = process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        result.timed_out = True
    # What the program left behind goes too: it holds the pipes open, and GPU memory.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    for reader in (out, err):
        reader.join(timeout=5)
    result.seconds = time.monotonic() - began
    result.stdout, result.stderr = out.text(), err.text()
    started, spoke = out.first(OPERATION), err.first("forkguard:")
    if started is not None and spoke is not None:
        result.delay = spoke - started
    if events.exists():
        for line in events.read_text("utf-8", "replace").splitlines():
            try:
                result.events.append(json.loads(line))
            except ValueError:
                result.bad_events.append(line)
    return result


def command_for(case, programs, binaries):
    """The command line of a case: a built binary, or this Python with a program."""
    if case.binary:
        return [str(binaries[case.binary]), *case.args]
    return [sys.executable, str(programs / case.program), *case.args]
