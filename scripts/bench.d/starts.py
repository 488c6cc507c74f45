"""The tables of what a worker's start costs: all ways by turns in one run, medians, and how often a fork's; and of what
a pool costs whose workers are given much data.

The first start of each program is told by itself: spawn's finds its files cold, forkserver's starts the server, and a
template's waits until it has imported what the program has.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent / "worker_start.py"
POOL = PROGRAM.with_name("pool_payload.py")
GUARDED = {"FORKGUARD_POLICY": "exec,abort"}
# The way, multiprocessing's method, and the guard's variables; None where the program runs without it.
WAYS = [
    ("fork", "fork", None),
    ("spawn", "spawn", None),
    ("forkserver", "forkserver", None),
    ("exec", "fork", {**GUARDED, "FORKGUARD_TEMPLATE": "0"}),
    # As it is by default: the template is used once it is there, and where it pays.
    ("exec, template", "fork", GUARDED),
]
EPOCH_WORKERS = 4
LITTLE_MIB = 50
POOL_WORKERS, POOL_MIB = 64, 64
PATIENCE = 600


class Starts:
    """One machine's Python, library and driver."""

    def __init__(self, python, library, driver, rounds, count):
        self.python, self.library, self.rounds, self.count = str(python), library, rounds, count
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("FORKGUARD_", "LD_PRELOAD"))
        }
        if driver:
            paths = [str(driver), *filter(None, [self.environment.get("LD_LIBRARY_PATH")])]
            self.environment["LD_LIBRARY_PATH"] = os.pathsep.join(paths)

    def has(self, *modules):
        asked = [self.python, "-c", "import " + ", ".join(modules)]
        return subprocess.run(asked, stderr=subprocess.DEVNULL, env=self.environment).returncode == 0

    def measure(self, *what):
        """Way to the times of all its programs: one list a program, as worker_start.py prints it."""
        told = {way: [] for way, _, _ in WAYS}
        for turn in range(self.rounds):
            # Who goes first changes, so that none always finds the machine warm.
            for way, method, guard in WAYS[turn % len(WAYS) :] + WAYS[: turn % len(WAYS)]:
                told[way].append(self._run(method, guard, PROGRAM, [*what, str(self.count)]))
        return told

    def measure_pool(self, what):
        """Way to the medians of what pool_payload.py prints."""
        told = {}
        for way, method, guard in WAYS:
            asked = [str(POOL_WORKERS), str(POOL_MIB), what]
            runs = [self._run(method, guard, POOL, asked) for _ in range(self.rounds)]
            told[way] = [round(statistics.median(column), 3) for column in zip(*runs)]
        return told

    def _run(self, method, guard, program, what):
        environment = dict(self.environment)
        if guard is not None:
            environment.update(guard, LD_PRELOAD=str(self.library))
        command = [self.python, "-W", "ignore", str(program), method, *what]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        if run.returncode or (guard is not None and "forkguard:" in run.stderr):
            sys.exit(f"bench: {' '.join(command[3:])} ended with {run.returncode}:\n{run.stderr}")
        return json.loads(run.stdout)


def table(title, heads, told, columns):
    """Rows of medians in ms, and, of column `heads[1]`, how often the fork's. What was printed, for a file."""
    printed = {}
    print(f"\n{title}")
    print(f"  {'':<16}" + "".join(f"{head:>18}" for head in heads) + f"{'x fork':>10}")
    base = None
    for way, programs in told.items():
        cells = [column(programs) for column in columns]
        base = base or cells[1]
        printed[way] = [None if cell is None else round(cell * 1000, 3) for cell in cells]
        shown = "".join(f"{'-' if cell is None else format(cell * 1000, '.1f'):>18}" for cell in cells)
        print(f"  {way:<16}{shown}{cells[1] / base:>10.1f}", flush=True)
    return {"title": title, "heads": heads, "ways": printed}


def pool_table(what, told):
    title = f"a pool of {POOL_WORKERS} workers, each given the same {POOL_MIB} MiB: {what}"
    heads = ("s until all have it", "MiB written", "MiB of memory")
    print(f"\n{title}")
    print(f"  {'':<16}" + "".join(f"{head:>22}" for head in heads))
    for way, cells in told.items():
        print(f"  {way:<16}" + "".join(f"{cell:>22.1f}" for cell in cells), flush=True)
    return {"title": title, "heads": heads, "ways": told}


def later(number):
    """The median of one time of all starts but the first of each program; None where a worker could not tell it."""

    def column(programs):
        times = [start[number] for program in programs for start in program[1:]]
        return None if None in times else statistics.median(times)

    return column


def first(number):
    def column(programs):
        times = [program[0][number] for program in programs]
        return None if None in times else statistics.median(times)

    return column


def free_gib():
    """Whole GiB of memory that can be used without another program's loss."""
    with open("/proc/meminfo") as told:
        available = next(int(line.split()[1]) for line in told if line.startswith("MemAvailable"))
    return available // 2**20


def print_tables(starts, gib, imports, keep=lambda table: None):
    """`keep` takes each table when it is printed."""
    if not starts.has("cloudpickle"):
        sys.exit(f"bench: {starts.python} has no cloudpickle, which exec is to be measured with")
    gib = min(8, max(1, free_gib() // 2)) if gib is None else gib
    heads = ("start() returned", "first line", "CUDA ready", "first start")
    columns = (later(0), later(1), later(2), first(1))
    print("ms, medians; a first start by itself (to its first line)")
    for name in imports:
        if name != "none" and not starts.has(name):
            print(f"\nwith {name}: {starts.python} has none")
            continue
        for size, memory in ((LITTLE_MIB / 1024, f"{LITTLE_MIB} MiB"), (gib, f"{gib:g} GiB")):
            told = starts.measure(name, str(size))
            keep(table(f"a parent of {memory} touched, imports {name}", heads, told, columns))
        if name == "torch":
            told = starts.measure("epochs", str(EPOCH_WORKERS))
            title = f"an epoch of torch's DataLoader, {EPOCH_WORKERS} new workers each"
            keep(table(title, ("first epoch", "later epochs"), told, (first(0), later(0))))
    for what in ("array", "text"):
        if what == "text" or starts.has("numpy"):
            keep(pool_table(what, starts.measure_pool(what)))
