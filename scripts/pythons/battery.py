"""What is asked of each Python by scripts/check-pythons: the tests' clients, and what they must say under the guard.

It runs by whatever Python a root has, from 3.9 on.
"""

import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENTS = ROOT / "tests" / "clients"
# What a loaded machine may take for one program.
PATIENCE = 300
FEATURES = {}


def feature(pieces):
    """A function that looks at one of these pieces of a feature, which has its name."""

    def put(function):
        FEATURES[function.__name__] = (function, pieces)
        return function

    return put


def listed(by):
    """The pieces that the tests go through (tests/testkit/src/lists.rs) with this function."""
    text = (ROOT / "tests" / "testkit" / "src" / "lists.rs").read_text()
    return re.search(r"each_named! \{ " + re.escape(by) + r":([\s\w]+)\}", text).group(1).split()


def line_of(client, mark):
    lines = (CLIENTS / client).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith("# " + mark))


def version_of(python):
    """((3, 14), "3.14.4t"), or nothing."""
    script = (
        "import sys, sysconfig; free = sysconfig.get_config_var('Py_GIL_DISABLED'); "
        "print(*sys.version_info[:2], sys.version.split()[0] + ('t' if free else ''))"
    )
    try:
        ran = subprocess.run([str(python), "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None
    major, minor, text = ran.stdout.split() if ran.returncode == 0 else (0, 0, "")
    return ((int(major), int(minor)), text) if text else None


class Wrong(Exception):
    """What is not as it should be."""


class Ran:
    """How a program ended and what it said."""

    def __init__(self, words, code, out, err, events):
        self.words, self.code, self.out, self.err, self.events = words, code, out, err, events

    def named(self, name):
        return [event for event in self.events if event["event"] == name]

    def must(self, holds, what):
        if not holds:
            story = f"{what}\n{' '.join(self.words)}\nended with {self.code}\n{self.out}{self.err}"
            refused = {event["reason"] for event in self.named("refused")}
            raise Wrong(story.rstrip() + "".join(f"\nrefused: {why}" for why in sorted(refused)))
        return self

    def silent(self):
        return self.must(not self.err, "it is not silent")

    def said(self, *lines):
        return self.must(self.out.splitlines() == list(lines), f"it did not print {lines}")


class Battery:
    def __init__(self, python, given):
        self.python, self.given = str(python), given

    def run(self, features, told):
        """For each feature: how many pieces were looked at, and what was wrong. `told` hears of each when it is done."""
        found = {}
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for name in features:
                function, pieces = FEATURES[name]
                answers = pool.map(lambda piece: self._piece(function, piece), pieces)
                found[name] = len(pieces), [answer for answer in answers if answer]
                told(name, *found[name])
        return found

    def _piece(self, function, piece):
        try:
            function(self, piece)
        except Wrong as wrong:
            return f"{piece}: {wrong}"
        except subprocess.TimeoutExpired as late:
            said = b"".join(part or b"" for part in (late.stdout, late.stderr)).decode(errors="replace")
            return f"{piece}: {' '.join(map(str, late.cmd))} did not end within {PATIENCE} s\n{said}".rstrip()
        return None

    def start(self, words, guarded=True, cwd=None, **settings):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("FORKGUARD_", "FAKE_CUDA_", "LD_", "PYTHON"))}
        with tempfile.TemporaryDirectory() as place:
            events = Path(place, "events")
            kept.update(
                LD_LIBRARY_PATH=str(self.given / "driver"),
                FAKE_CUDA_NODES="1",
                PYTHONDONTWRITEBYTECODE="1",
                PYTHONPATH=str(self.given / "packages"),
                # Python's own word about forks of programs with threads, from 3.12 on.
                PYTHONWARNINGS="ignore::DeprecationWarning",
            )
            if guarded:
                kept.update(LD_PRELOAD=str(self.given / "libforkguard.so"), FORKGUARD_REPORT=str(events))
            kept.update({f"FORKGUARD_{name}": value for name, value in settings.items()})
            ran = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, env=kept, cwd=cwd
            )
            told = events.read_text(errors="replace").splitlines() if events.exists() else []
        out, err = (text.decode(errors="replace") for text in (ran.stdout, ran.stderr))
        return Ran(list(map(str, words)), ran.returncode, out, err, [json.loads(line) for line in told])

    def client(self, name, *words, **settings):
        return self.start([self.python, str(CLIENTS / name), *words], **settings)

    def command(self, *words, **more):
        return self.start([str(self.given / "forkguard"), *words], guarded=False, **more)


@feature(["gil", "nogil"])
def frames(battery, gil):
    """Every scenario of tests/clients/pystack.py: what the guard reads is what Python tells."""
    words = [sys.executable, str(ROOT / "scripts" / "pystack-matrix"), "--library", battery.given / "libforkguard.so"]
    ran = battery.start([*words, "--driver", battery.given / "driver", "--gil", gil, battery.python], guarded=False)
    ran.must(ran.code == 0, "a stack differs")


@feature(["process", "os.fork"])
def report(battery, way):
    ran = battery.client("workers.py", way, "cuda")
    ran.said("init 0", f"{way} {-6 if way == 'process' else 6}")
    for mark in ("INIT", f"FORK {way}", "USE"):
        place = f"workers.py:{line_of('workers.py', mark)}"
        ran.must(place in ran.err, f"the report does not name {place}")


@feature(["pool", "executor"])
def warn(battery, way):
    ran = battery.client("workers.py", way, "cuda", POLICY="warn")
    ran.said("init 0", f"{way} [3, 3, 3, 3]")
    ran.must("CUDA used in a forked process" in ran.err, "nobody was warned")


def same_as_bare(battery, *words, **settings):
    guarded, bare = battery.client(*words, **settings), battery.client(*words, guarded=False)
    same = (guarded.code, guarded.out, guarded.err) == (bare.code, bare.out, bare.err)
    guarded.must(same, f"bare it ended with {bare.code}\n{bare.out}{bare.err}\nand guarded not:")


@feature(["pool", "process", "executor", "os.fork", "subprocess"])
def silent(battery, way):
    same_as_bare(battery, "workers.py", way, "clean")


@feature(["pool", "process", "os.fork"])
def off(battery, way):
    same_as_bare(battery, "workers.py", way, "cuda", POLICY="off")


def worker(battery, scenario, template, way):
    ran = battery.client("exec_scenarios.py", scenario, POLICY="exec,abort", TEMPLATE=template)
    ran.said(f"{scenario} ok")
    ways = {event["way"] for event in ran.named("rewritten")}
    ran.must(ways == {way} and not ran.named("refused"), f"workers came by {sorted(ways)}, not by {way} alone")
    if scenario != "exception":
        ran.silent()


SCENARIOS = [*listed("runs_silently"), "exception"]


@feature(SCENARIOS)
def exec(battery, scenario):
    """Workers are fresh processes, executed."""
    worker(battery, scenario, "0", "exec")


@feature(SCENARIOS)
def template(battery, scenario):
    """Workers are fresh processes, copies of a template."""
    worker(battery, scenario, "1", "template")


OBJECTS = [
    "weak_references",
    "answers_any_name",
    "submodule_of_an_import",
    "lock_of_another_context",
    "inherited_finalizer",
    "threads_that_do_not_run",
]


@feature([("exec_state.py", piece) for piece in listed("$run")] + [("exec_objects.py", piece) for piece in OBJECTS])
def state(battery, piece):
    """A fresh process has what a forked one would have."""
    forked = battery.client(*piece, guarded=False)
    fresh = battery.client(*piece, POLICY="exec,abort").silent()
    # What CUDA answers in the worker: it refuses a fork, and serves a fresh process.
    answers = re.compile(r"(init |, )3(?=\)|$)", re.M)
    forked.must(answers.search(forked.out), "the fork's CUDA was not refused")
    expected = answers.sub(r"\g<1>0", forked.out)
    fresh.must(expected == fresh.out, f"for a fork's\n{forked.out}a fresh process says something else:")
    fresh.must(fresh.named("rewritten"), "nothing was rewritten")


@feature(["os.fork", "thread", "c-init", "process"])
def cpu(battery, how):
    ran = battery.client("cpu_python.py", how, POLICY="cpu").silent()
    end = "exit 0" if how == "process" else "exit 7"
    ran.said("parent 0", "child   b'' starts with '' driver 100", end, "parent has unset 0")


@feature(["os.fork", "thread", "process"])
def revive(battery, how):
    ran = battery.client("cpu_python.py", how, POLICY="revive,abort").silent()
    end = "exit 0" if how == "process" else "exit 7"
    ran.said("parent 0", "child unset unset b'unset' starts with 'unset' driver 0", end, "parent has unset 0")
    ran.must(len(ran.named("revived")) == 1, "no child was revived")


@feature(["trace", "check"])
def command(battery, which):
    """`trace` and `check` name the line, and the imports that led there."""
    words = ["--library", battery.given / "libforkguard.so", "--", battery.python, "-B", "app.py"]
    ran = battery.command(which, *words, cwd=CLIENTS / "traced")
    ran.must(ran.code == (1 if which == "check" else 0), "another exit status was expected")
    for line in ("pkg/gpu.py:15 <module>   pkg/gpu.py:8 ask", "imported by  app.py:4 > pkg/__init__.py:2 > pkg/gpu.py:15"):
        ran.must(line in ran.err, f"it does not say {line}")


@feature(["tree"])
def ps(battery, scenario):
    alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    words = [battery.python, CLIENTS / "family.py", scenario, battery.given / "forkguard"]
    ran = battery.start([*alone, *words], POLICY="warn").silent()
    for line in ("third unused, under second, 0, at fork", "parent initialised, under None, 0, at initialise"):
        ran.must(line in ran.out, f"it does not say {line}")


@feature(["program"])
def doctor(battery, _):
    words = ["--library", battery.given / "libforkguard.so", "--", battery.python]
    ran = battery.command("doctor", *words)
    version = f"CPython {version_of(battery.python)[1].rstrip('t')}"
    known = re.search(r"^ok +python +.*", ran.out + ran.err, re.M)
    ran.must(known and version in ran.out + ran.err, f"it does not know {version}")
