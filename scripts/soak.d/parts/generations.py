"""A tree twelve generations deep, whose generations initialise CUDA or not: each process must know the right ancestor,
and `forkguard ps` show the tree as it is."""

import json
import subprocess
import sys

import machine
from stepping import Failed
from table import Row

# What the tests' programs have, too.
DEVICES = machine.ROOT / "tests" / "testkit" / "src" / "devices.sh"
DEEP = 12
PATTERNS = [
    ("the first initialises", "i..........."),
    ("the sixth", ".....i......"),
    ("the last", "...........i"),
    ("every one", "iiiiiiiiiiii"),
    ("every third", "..i..i..i..i"),
    ("first and last", "i..........i"),
]


def run(setting):
    for name, pattern in PATTERNS:
        assert len(pattern) == DEEP
        environment = {**machine.bare(), "LD_PRELOAD": str(setting.library), "FORKGUARD_POLICY": "revive,abort"}
        environment["FAKE_CUDA_NODES"] = "1"
        prepared = DEVICES.read_text() + 'exec "$@"'
        words = ["unshare", "--mount", "sh", "-c", prepared, "sh", sys.executable, "-B"]
        words += [machine.PROGRAMS / "generations.py", pattern]
        program = subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        answer = program.stdout.readline()
        if not answer:
            raise Failed(f"12 generations, {name}: {program.communicate()[1][-600:]}")
        troubles = wrong(pattern, json.loads(answer), seen(setting.command))
        rest, said = program.communicate("")
        if program.returncode or said or rest:
            troubles.append(f"it ended with {program.returncode}, and said: {said[:300]}")
        yield Row(f"12 generations, {name}", 2 * DEEP - 1, troubles=troubles)


def seen(command):
    answer = subprocess.run([command, "ps", "--json"], check=True, capture_output=True, text=True).stdout
    return {process["pid"]: process for process in json.loads(answer)["processes"]}


def wrong(pattern, numbers, seen):
    """What is not as the pattern has it."""
    troubles = []
    chain = [child for child, _ in numbers]
    first = pattern.index("i")
    expected = set()
    for generation, (pid, sibling) in enumerate(numbers):
        ancestors = [i for i in range(generation + 1) if pattern[i] == "i"]
        if not ancestors:
            continue
        own = ancestors[-1]
        expected.add(pid)
        troubles += compare(f"generation {generation + 1}", seen.get(pid), {
            "state": ("initialised" if own == first else "revived") if own == generation else "unused",
            "by": chain[own],
            "parent": chain[generation - 1] if generation > first else None,
            "forked by": chain[generation - 1] if generation > first else None,
        })
        # The one beside it was forked before it, by the same, and leaves CUDA alone.
        before = [i for i in range(generation) if pattern[i] == "i"]
        if sibling and before:
            expected.add(sibling)
            troubles += compare(f"the one beside generation {generation + 1}", seen.get(sibling), {
                "state": "unused",
                "by": chain[before[-1]],
                "parent": chain[generation - 1],
                "forked by": chain[generation - 1],
            })
    if set(seen) != expected:
        troubles.append(f"ps sees {len(seen)} processes and not {len(expected)}")
    return troubles[:3]


def compare(who, process, expected):
    if process is None:
        return [f"{who} is not seen"]
    actual = {
        "state": process["state"],
        "by": process.get("initialised", {}).get("pid"),
        "parent": process["parent"],
        "forked by": process.get("forked", {}).get("pid"),
    }
    return [f"{who}: {what} {actual[what]}, not {value}" for what, value in expected.items() if actual[what] != value]
