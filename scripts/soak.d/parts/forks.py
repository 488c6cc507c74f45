"""Forks of a process that has initialised CUDA, of C and of Python, guarded and bare by turns."""

import json
import subprocess
import sys

import machine
from stepping import Stepped, first_and_last, unless_stopped, until
from table import Row, duration

SECONDS = 120
WAYS = [("C", "forks", [], 100, 1_000_000), ("Python", None, [sys.executable, "-B"], 50, 1_000_000)]
# Steps after which what is allocated once has been.
WARM = 20
# What a process may have more of at the end: the allocator's, not a round's.
MORE_PRIVATE_KIB = 256
MORE_MAPPINGS = 2
# A guarded round against a bare one, at the end against at the beginning.
SLOWER = 1.15


def run(setting):
    for language, program, before, a_step, rounds in unless_stopped(WAYS):
        words = [machine.BUILT / program] if program else [*before, machine.PROGRAMS / "forks.py"]
        environments = {
            "bare": machine.bare(),
            "guarded": {**machine.bare(), "LD_PRELOAD": str(setting.library), "FORKGUARD_POLICY": "abort"},
        }
        ways = {name: Stepped(f"forks, {name}", words, there) for name, there in environments.items()}
        guarded = ways["guarded"]
        before = {}
        seconds = setting.seconds(SECONDS / len(WAYS))
        # A step a hundred times as long where a million are to be made.
        a_step = a_step * (10 if setting.long else 1)
        for number in until(lambda: guarded.rounds() >= rounds, seconds):
            # Who goes first changes, so that neither always finds the machine warm.
            for name in ("bare", "guarded") if number % 2 else ("guarded", "bare"):
                ways[name].step(a_step)
            if number + 1 == WARM:
                before = {name: way.health() for name, way in ways.items()}
            setting.note(f"forks after cuInit, {language}", guarded.rounds())
        troubles = []
        if not before:
            troubles.append("too few rounds to be judged")
        for name, health in before.items():
            found = health.growth(ways[name].health(), MORE_PRIVATE_KIB, MORE_MAPPINGS)
            troubles += [f"{name}: {sentence}" for sentence in found]
        troubles += seen_alone(setting.command, guarded)
        for way in ways.values():
            way.end()
        (bare_first, bare_last), (first, last) = (first_and_last(ways[name].each()) for name in ("bare", "guarded"))
        drift = (last / bare_last) / (first / bare_first)
        if drift > SLOWER:
            troubles.append(f"slower at the end: {drift:.2f} times what it was")
        yield Row(
            f"forks after cuInit, {language}",
            guarded.rounds(),
            duration(bare_last),
            duration(last),
            last / bare_last,
            troubles,
            f"at the end {drift:.2f} times the beginning",
        )


def seen_alone(command, guarded):
    """Of all its children nothing is left: `forkguard ps` sees the program and nobody else."""
    seen = json.loads(subprocess.run([command, "ps", "--json"], check=True, capture_output=True).stdout)
    pids = [process["pid"] for process in seen["processes"]]
    return [] if pids == [guarded.process.pid] else [f"ps sees {pids}, not {guarded.process.pid} alone"]
