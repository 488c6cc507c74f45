"""Checks the checker, without a GPU: stand-in programs behave well and badly in known ways, and
each must get the verdict it deserves. A harness that passes everything would fail here.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

from check import kept, table
from check.cases import Told, carried, served, silent, violation

PROGRAMS = Path(__file__).resolve().parent / "selftest_programs"

# (behaviour of the stand-in, policy, a word the verdict must contain; None: it must pass)
VIOLATIONS = [
    ("good", "abort", None),
    ("good", "warn", None),
    ("good", "off", None),
    ("wrong-line", "abort", "JSON used is not pretend.py"),
    ("wrong-line", "warn", "the text does not name pretend.py"),
    ("no-event", "abort", "no violation event"),
    ("no-text", "abort", "no report on stderr"),
    ("bad-json", "abort", "not JSON"),
    ("survives", "abort", "no child ended with -6"),
    ("other-result", "warn", "stdout differs from bare"),
    ("twice", "warn", "reported more than once"),
    ("eats-stderr", "warn", "line of the bare run's stderr is gone"),
    ("wrong-function", "abort", "JSON function is"),
    ("no-advice", "abort", "JSON advice does not show"),
    ("noise-when-off", "off", "stderr says more than bare"),
    ("time-goes-back", "abort", "out of order"),
    ("own-pid", "abort", "the child itself initialised"),
]
SILENTS = [
    ("quiet", "abort", None),
    ("quiet", "warn", None),
    ("noisy", "abort", "stderr says more than bare"),
    ("event-only", "abort", "events were written"),
    ("initialised-event", "abort", None),
    ("initialised-event", "off", "events were written"),
    ("other-code", "warn", "ended with 3, bare with 0"),
]
HANGS = [
    ("good", "abort", None),
    ("good", "warn", None),
    ("late", "warn", "s after the operation started"),
    ("never", "warn", "no report after the operation started"),
]
SERVED = [
    ("good", "exec", None),
    ("other-result", "exec", "its output does not show"),
    ("fork", "exec", "a worker is not fresh: worker: a fork"),
    ("template", "exec", "2 workers are copies of a template"),
    ("template", "exec, template", None),
    ("good", "exec, template", "0 workers are copies of the template, expected 2"),
    ("mute", "exec", "1 workers spoke, expected 2"),
    ("one-start", "exec", "1 forks became fresh processes, expected 2"),
    ("refused", "exec", "refused: a generator cannot cross"),
    ("violation", "exec", "a violation was reported"),
    ("inherits", "exec", "1 of 2 fresh processes initialised CUDA themselves"),
    ("speaks", "exec", "stderr says: forkguard: hello"),
    # Where some are to initialise CUDA, one worker may have nothing to do, but not both.
    ("some-idle", "exec", None),
    ("some-all-idle", "exec", "0 of 2 fresh processes initialised CUDA themselves"),
]
# What is to be told in each: a child of its own driver, one without CUDA, and one that is refused.
REVIVED = Told(revived=2, took_ms=3.0)
ABSENT = Told(cpu=range(1, 3), notices=1, notice="is absent", others="^a framework falls back")
REFUSED = Told(violations=1, refused=1, reason="runtime", notice="revive: .* runtime library is up")
CARRIED = [
    ("good", "revive", REVIVED, None),
    ("other-result", "revive", REVIVED, "its output does not show"),
    ("other-code", "revive", REVIVED, "ended with 3, expected 0"),
    ("one-less", "revive", REVIVED, "1 events say revived, expected 2"),
    ("same-pid", "revive", REVIVED, "a process is told of twice as revived"),
    ("own-parent", "revive", REVIVED, "mistakes the child for its parent"),
    ("no-places", "revive", REVIVED, "does not say where CUDA was initialised"),
    ("slow", "revive", REVIVED, "reviving took 3.50 ms, expected less than 3.0"),
    ("no-times", "revive", REVIVED, "lacks took_us and driver_us"),
    ("violation", "revive", REVIVED, "1 events say violation, expected 0"),
    ("refused", "revive", REVIVED, "1 events say refused, expected 0"),
    ("bad-json", "revive", REVIVED, "not JSON"),
    ("bad-json", "revive", replace(REVIVED, cut=True), None),
    ("speaks", "revive", REVIVED, "1 notices on stderr, expected 0: forkguard: hello"),
    ("noisy", "revive", REVIVED, "stderr says more than bare: Traceback"),
    ("good", "cpu", ABSENT, None),
    ("mute", "cpu", ABSENT, "0 notices on stderr, expected 1"),
    ("speaks", "cpu", ABSENT, "2 notices on stderr, expected 1"),
    ("other-words", "cpu", ABSENT, "another notice: forkguard: something else"),
    ("noisy", "cpu", ABSENT, "stderr says more than bare: Traceback"),
    ("none-absent", "cpu", ABSENT, "0 events say cpu, expected 1 to 2"),
    ("good", "revive,abort", REFUSED, None),
    ("other-words", "revive,abort", REFUSED, "the report does not show"),
    ("mute", "revive,abort", REFUSED, "no report on stderr"),
    ("other-reason", "revive,abort", REFUSED, "refused for another reason: no image"),
    ("never", "revive,abort", REFUSED, "0 events say violation, expected 1"),
]


class _Bench:
    """Stands for the machine: nothing is missing, nothing is built."""

    met, unmet, binaries = {}, {}, {}


def main(work):
    """Runs every stand-in through the real runner and judge; 0 when all verdicts are right."""
    from check.command import Runs
    from check.run import clean_environment

    cases = []
    plans = (("violation", VIOLATIONS), ("silent", SILENTS), ("hang", HANGS), ("served", SERVED))
    for behaviour, policy, told, word in CARRIED:
        name = f"carried.{behaviour}.{policy}{'.cut' if told.cut else ''}"
        case = carried(name, "pretend.py", (policy,), ("carried", behaviour), told=told,
                       bare=("^child: refused$",), works=("^child: served$",), timeout=20)
        cases.append((case, policy, word))
    for kind, plan in plans:
        for behaviour, policy, word in plan:
            make = {"silent": silent, "served": served}.get(kind, violation)
            case = make(f"{kind}.{behaviour}.{policy}", "pretend.py", (kind, behaviour), timeout=20)
            if kind == "served":
                case = replace(case, needs=(), works=("^answer: 4$",), rewritten=2, telling=True,
                               copies=True, initialise="some" if "some" in behaviour else "each")
            elif kind != "silent":
                case = replace(case, bare=("^child",), function="^cuPretend$", advice="spawn")
            cases.append((replace(case, policies=(policy,), hangs=kind == "hang"), policy, word))
    stuck = silent("stuck", "pretend.py", ("stuck", ""), timeout=1, policies=("warn",))
    cases.append((stuck, "bare", "did not end in time"))
    env = clean_environment(work)
    runs = Runs(None, env, work, _Bench, 4, time.monotonic() + 300, programs=PROGRAMS)
    rows = {(row["case"], row["policy"]): row for row in runs.all([case for case, _, _ in cases])}
    wrong = 0
    for case, policy, word in cases:
        row = rows[case.name, policy]
        right = row["result"] == "ok" if word is None else word in row["note"]
        bare = rows[case.name, "bare"]
        if policy != "bare" and bare["result"] != "ok":
            right, row = False, bare
        if not right:
            wrong += 1
            print(f"WRONG VERDICT {case.name}: {row['result']} ({row['note']})\n{row['stderr']}")
    wrong += _native_lines_work(work) + _tables_are_whole(rows.values())
    wrong += _goes_on_where_it_was_stopped(work) + _starts_in_turn()
    print(f"self-test: {len(cases) + 4 - wrong} right, {wrong} wrong", file=sys.stderr)
    return int(wrong > 0)


def _tables_are_whole(rows):
    """Every row must stand in the Markdown once, the timed groups' in tables of their own; 1 when not."""
    rows = [dict(row, group={"revive": "revive", "cpu": "cpu"}.get(row["policy"], "guard")) for row in rows]
    lines = table.markdown(rows, "title").splitlines()
    heads = sum(line.startswith("| case |") for line in lines)
    told = sum(line.startswith("| ") for line in lines) - 2 * heads
    if (heads, told) == (1 + len(table.TITLES), len(rows)):
        return 0
    print(f"WRONG: {heads} tables with {told} rows, expected {1 + len(table.TITLES)} with {len(rows)}")
    return 1


def _goes_on_where_it_was_stopped(work):
    """A run whose time is up must leave what it had, also with its last line cut, and a second one must run the rest
    and no more; 1 when not."""
    from check.command import TIME_UP, Runs
    from check.run import clean_environment

    quick = [silent(f"quick.{name}", "pretend.py", ("silent", "quiet"), policies=("warn",)) for name in "abc"]
    slow = replace(silent("slow", "pretend.py", ("stuck", ""), policies=("warn",)), timeout=120)
    lib, path = work / "library", work / "kept.jsonl"
    lib.write_bytes(b"a library")

    def ran(cases, rows, seconds, folder):
        (work / folder).mkdir()
        with kept.Keeper(path, "title", lib, rows) as keep:
            runs = Runs(None, clean_environment(work), work / folder, _Bench, 2, time.monotonic() + seconds,
                        programs=PROGRAMS, keep=keep)
            runs.least = 0.1
            return {(row["case"], row["policy"]): row["note"] for row in runs.all(cases)}

    # As many at a time as the slow case has runs: were those first, the quick ones would not be there.
    first = ran([*quick, slow], [], 4, "first")
    with path.open("a") as cut:
        cut.write('{"case": "quick.a", "poli')
    had = kept.read(path)
    rest = [case for case in quick if not had.has(case)] + [slow] * (not had.has(slow))
    whole = [case for case in quick if had.has(case)]
    second = ran([*rest, quick[0]], [row for case in whole for row in had.of(case)], 0, "second")
    after = kept.read(path)
    wrong = [
        word for word, right in (
            ("the quick cases were not all run", len(whole) == len(quick)),
            ("the slow case is not said to have had no time", {first["slow", "bare"], first["slow", "warn"]} == {TIME_UP}),
            ("the slow case is not the rest", rest == [slow]),
            ("what was had is gone", all(after.has(case) for case in quick)),
            ("what had no time is taken for run", set(second.values()) == {TIME_UP} and not after.has(slow)),
            ("another library passes for this one", had.library == kept.identity(lib) != ""),
        ) if not right
    ]
    for word in wrong:
        print(f"WRONG: {word}")
    return int(bool(wrong))


def _starts_in_turn():
    """What failed goes first, then the short ones with a long one among every few; 1 when not."""
    from check.command import in_turn

    cases = [silent(name, "pretend.py") for name in "abcdefg"]
    took = dict(zip("abcdefg", (7, 1, 6, 2, 5, 3, 4)))
    last = kept.Kept("", [
        {"case": name, "policy": "bare", "seconds": seconds, "result": "FAIL" if name == "c" else "ok"}
        for name, seconds in took.items()
    ])
    turn = "".join(case.name for case in in_turn(cases, last))
    if turn == "cbdfage":
        return 0
    print(f"WRONG: started in the order {turn}, expected cbdfage")
    return 1


def _native_lines_work(work):
    """Offsets inside a native program must be turned into file:line; 1 when they are not."""
    import re
    import subprocess

    from check.judge import _native_lines, marked_lines

    source = PROGRAMS / "native.c"
    binary = work / "native"
    subprocess.run(["gcc", "-g", "-O0", str(source), "-o", str(binary)], check=True)
    told = subprocess.run([str(binary)], capture_output=True, text=True, check=True).stdout
    offset = re.search(r"0x[0-9a-f]+", told).group()
    found = _native_lines({"native": [{"module": str(binary), "offset": offset}]}, binary)
    (line,) = marked_lines(source, "USE")
    if ("native.c", line) in found:
        return 0
    print(f"WRONG: {offset} gives {found}, expected native.c:{line}")
    return 1
