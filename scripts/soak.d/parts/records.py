"""Ten thousand processes recorded at once, in one family and in many, and `forkguard ps` answers in under a second."""

import json
import os
import resource
import subprocess
import time

import machine
from stepping import Failed, stop
from table import Row, duration

# Families, children of each, how deep.
SHAPES = [
    (1, 9_999, 1, False),
    (1, 4, 6, False),
    (100, 99, 1, False),
    (1_000, 9, 1, True),
    (10_000, 0, 1, True),
]
ASKED = 5
LIMIT = 1.0
KIB_A_FAMILY = 1200
KIB_A_CHILD = 250
# A machine on which nothing happens any more is no use to anybody else.
LEAVE_KIB = 3 * 2**20


def run(setting):
    for families, children, depth, only_long in SHAPES:
        below = sum(children**generation for generation in range(1, depth + 1))
        processes = families * (1 + below)
        name = f"ps of {families:,} famil{'y' if families == 1 else 'ies'}"
        name += f", {depth} generations" if depth > 1 else ""
        if stop.is_set() or (only_long and not setting.long):
            continue
        if available_kib() < LEAVE_KIB + families * (KIB_A_FAMILY + below * KIB_A_CHILD):
            raise Failed(f"{name} of {processes} processes takes more memory than is free here")
        with Families(setting, families, children, depth) as there:
            yield looked_at(setting, name, there.pids(), processes, children, depth)


class Families:
    """Programs that stay until this lets them go. All have one input and one output: two pipes each would take more
    descriptors than there are."""

    def __init__(self, setting, families, children, depth):
        stay, self._go = os.pipe()
        output, tell = os.pipe()
        self._output = os.fdopen(output)
        self._programs = []
        words = [machine.BUILT / "records", str(children), str(depth)]
        environment = {**machine.bare(), "LD_PRELOAD": str(setting.library)}
        for _ in range(families):
            self._programs.append(subprocess.Popen(words, env=environment, stdin=stay, stdout=tell, stderr=tell))
        os.close(stay)
        os.close(tell)

    def pids(self):
        return [program.pid for program in self._programs]

    def __enter__(self):
        for _ in self._programs:
            line = self._output.readline()
            if line != "ready\n":
                self.__exit__()
                raise Failed(f"a family does not come: {line.strip()}")
        return self

    def __exit__(self, *_):
        os.close(self._go)
        for program in self._programs:
            program.wait()
        self._output.close()
        # Their children are ours now, and end with them.
        try:
            while True:
                os.wait()
        except ChildProcessError:
            pass


def looked_at(setting, name, roots, processes, children, depth):
    troubles = []
    times = {}
    for form, words in (("table", []), ("json", ["--json"])):
        answers = [asked(setting, words) for _ in range(ASKED)]
        times[form] = [wall for _, wall, _ in answers]
        used = min(used for _, _, used in answers)
        text = answers[0][0]
        if form == "json":
            troubles += wrong(json.loads(text)["processes"], roots, processes, children, depth)
        elif len(text.splitlines()) != 1 + processes + len(roots):
            troubles.append(f"the table has {len(text.splitlines())} lines")
        # On a machine that does much else the clock says little; alone it takes no longer than its processor time.
        if min(*times[form], used) >= LIMIT:
            troubles.append(f"{form}: {min(times[form]):.2f} s at best")
    watched, later = watched_for(setting)
    if later > LIMIT + 0.1 + max(times["json"]):
        troubles.append(f"watching, the next look comes after {later:.2f} s")
    best = ", ".join(f"{form} {min(values):.2f} to {max(values):.2f} s" for form, values in times.items())
    return Row(name, processes, guarded=duration(used), troubles=troubles, remark=f"{best}; watched {watched} times")


def asked(setting, words):
    """The answer of `forkguard ps`, the time on the clock, and the processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    words = [*setting.before, setting.command, "ps", *words]
    answer = subprocess.run(words, check=True, capture_output=True, text=True)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if answer.stderr:
        raise Failed(f"ps says: {answer.stderr[:300]}")
    return answer.stdout, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def wrong(seen, roots, processes, children, depth):
    """What is not as it should be in what was seen."""
    troubles = []
    if len(seen) != processes:
        others = {process["command"] for process in seen} - {f"{machine.BUILT / 'records'} {children} {depth}"}
        troubles.append(f"{len(seen)} are seen, others among them {sorted(others)[:3]}")
    parents = {process["pid"]: process["parent"] for process in seen}
    initialisers = {process["pid"] for process in seen if process["state"] == "initialised"}
    if initialisers != set(roots):
        troubles.append(f"{len(initialisers)} are said to have initialised CUDA")
    if {pid for pid, parent in parents.items() if parent is None} != set(roots):
        troubles.append("others stand at the top than those that initialised CUDA")
    deepest = 0
    for pid in parents:
        generations = 0
        while parents.get(pid) is not None:
            pid, generations = parents[pid], generations + 1
        deepest = max(deepest, generations)
    if deepest != (depth if processes > len(roots) else 0):
        troubles.append(f"the tree is {deepest} deep")
    if len({process["family"] for process in seen}) != len(roots):
        troubles.append("there are others than the families that were made")
    return troubles


def watched_for(setting):
    """Two looks of --watch: how many came, and how long after the first the second did."""
    words = [*setting.before, setting.command, "ps", "--json", "--watch", "0.1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as watching:
        watching.stdout.readline()
        began = time.monotonic()
        again = watching.stdout.readline()
        later = time.monotonic() - began
        watching.kill()
    return (2 if again else 1), later


def available_kib():
    with open("/proc/meminfo") as file:
        fields = dict(line.split(":") for line in file)
    return int(fields["MemAvailable"].split()[0])
