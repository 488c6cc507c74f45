"""Sixty-four threads call the driver while eight fork; some children use CUDA, and each of them is reported once and
whole."""

import collections
import json
import signal
import tempfile
from pathlib import Path

import machine
from stepping import Stepped, unless_stopped, until
from table import Row

SECONDS = 60
ROUNDS = 100_000
A_STEP = 10
WARM = 2
MORE_PRIVATE_KIB = 1024
# What a child that uses CUDA ends with, by wait's account: exit code 3 where its calls only fail.
WAYS = [("children clean", "abort", None), ("some ended", "abort", signal.SIGABRT), ("some warned", "warn", 3 << 8)]


def run(setting):
    for name, policy, violation in unless_stopped(WAYS):
        with tempfile.TemporaryDirectory() as folder:
            yield one(setting, name, policy, violation, Path(folder))


def one(setting, name, policy, violation, folder):
    environment = {**machine.bare(), "LD_PRELOAD": str(setting.library), "FORKGUARD_POLICY": policy}
    environment["FORKGUARD_TRACE"] = str(folder / "trace")
    words = [machine.BUILT / "threads", *([] if violation is None else [int(violation)])]
    program = Stepped(f"threads, {name}", words, environment)
    before = None
    for number in until(lambda: program.rounds() >= ROUNDS, setting.seconds(SECONDS / len(WAYS))):
        program.step(A_STEP)
        if number + 1 == WARM:
            before = program.health()
        setting.note(f"threads, {name}", program.steps[-1]["forks"])
    troubles = before.growth(program.health(), MORE_PRIVATE_KIB, 0) if before else ["too few rounds to be judged"]
    said = program.end(silent=violation is None)
    violators = [pid for step in program.steps for pid in step["violators"]]
    troubles += reported(folder / "trace", violators) + told(said, violators)
    last = program.steps[-1]
    seconds = sum(step["wall"] for step in program.steps)
    remark = f"{len(violators):,} violations; {last['calls'] / seconds / 1e6:.1f} M driver calls a second meanwhile"
    return Row(f"64 threads call, 8 fork; {name}", last["forks"], troubles=troubles, remark=remark)


def reported(file, violators):
    """Whether there is one event for each, and every event is whole."""
    pids = collections.Counter()
    for line in file.read_text().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            return [f"an event is not whole: {line[:100]}"]
        if event["event"] == "violation":
            pids[event["pid"]] += 1
            if event["function"] != "cuDeviceGetCount" or not event["forks"]:
                return [f"an event says what was not so: {line[:300]}"]
    # A number may come again when all have been given.
    return [] if pids == collections.Counter(violators) else [
        f"{len(violators)} children used CUDA, and {sum(pids.values())} events tell of {len(pids)} processes"
    ]


def told(said, violators):
    """Whether the text tells the cause once, in one piece, and then a line for each of no more than twenty."""
    lines = said.splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith("forkguard: CUDA used in a forked process")]
    lines_of_others = [line for line in lines if line.startswith("forkguard: ") and "CUDA used" not in line]
    if not violators:
        return []
    troubles = []
    if len(lines) > 200 or not heads:
        troubles.append(f"{len(lines)} lines are said, {len(heads)} reports")
    full = said.count("  1 initialised ")
    if full != 1 or said.count("\n  fix  ") != 1:
        troubles.append(f"{full} full reports, for one cause")
    for line in lines_of_others:
        if not any(str(pid) in line for pid in violators) and "further" not in line and "more" not in line:
            troubles.append(f"said besides: {line}")
            break
    return troubles
