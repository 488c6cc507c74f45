"""The command line of scripts/gpu-check: chooses the cases, runs them side by side, prints the table. What was seen is
kept as it is seen (kept.py), so that a run that is killed loses nothing, and another one can go on from there.
"""

import argparse
import contextlib
import os
import re
import resource
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from check import kept, selftest, table
from check.cases import GUARD_CASES
from check.cpu_cases import CPU_CASES
from check.judge import PLACES, judge, judge_bare
from check.judge_carried import children_expected, children_told
from check.judge_served import starts_told
from check.machine import PROGRAMS, Machine
from check.revive_cases import REVIVE_CASES
from check.run import BARE, Outcome, clean_environment, command_for, run
from check.served_cases import SERVED_CASES
from check.server_cases import SERVER_CASES

CASES = [*GUARD_CASES, *SERVED_CASES, *REVIVE_CASES, *CPU_CASES, *SERVER_CASES]
DEFAULT_LIB = Path(__file__).resolve().parents[3] / "target/release/libforkguard.so"
# XLA starts a thread a core and takes its time: more of them at once only slow each other down.
JAX_AT_ONCE = 4
KEPT_OUTPUT = 12000
# Of the cases that are started, one in so many is one of the longest: all of them at the end would have nothing beside
# them, and all of them at the start would leave a run that is killed with little.
LONG_ONE_IN = 4
TIME_UP = "the time was up"
# The exit code of a check that had no time for all cases, whatever the others gave.
UNFINISHED = 3


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="scripts/gpu-check",
        description="Runs real CUDA programs under libforkguard.so on a machine with a GPU, under "
        "every policy and bare, and checks what each report names against the programs' lines.",
    )
    parser.add_argument("--lib", type=Path, default=DEFAULT_LIB, help="the library under test")
    parser.add_argument("--only", metavar="PATTERN", default="",
                        help="cases whose name matches; guard, exec, revive and cpu are all of one kind")
    parser.add_argument("--jobs", type=int, default=max(2, (os.cpu_count() or 4) // 2),
                        help="programs at a time (half the cores)")
    parser.add_argument("--limit", type=float, default=450, metavar="SECONDS",
                        help="what has not ended by then is not told, and the exit code is 3 (450)")
    parser.add_argument("--json", type=Path, metavar="FILE",
                        help="rows, outputs and events, a line of JSON each, written as they are there")
    parser.add_argument("--rest", type=Path, metavar="FILE",
                        help="run only what this file of --json lacks; the table is of both")
    parser.add_argument("--after", type=Path, metavar="FILE",
                        help="what failed in this file of --json goes first, and the rest as long as it took there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the table as Markdown")
    parser.add_argument("--allow-missing", action="store_true",
                        help="a case whose framework is absent does not fail the check")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    parser.add_argument("--self-test", action="store_true",
                        help="check the harness itself with stand-in programs; needs no GPU")
    return parser.parse_args(argv)


def main(argv):
    options = arguments(argv)
    cases = chosen(options.only)
    if options.list:
        print("\n".join(f"{case.expect:9}  {case.name}" for case in cases))
        return 0
    # A child that aborts must not leave a core file behind.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    work = Path(tempfile.mkdtemp(prefix="gpu-check-"))
    try:
        if options.self_test:
            return selftest.main(work)
        return check(options, cases, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def chosen(pattern):
    """The cases of the group of that name, or else those whose name matches."""
    group = [case for case in CASES if case.group == pattern]
    return group or [case for case in CASES if re.search(pattern, case.name, re.I)]


def check(options, cases, work):
    if not cases:
        print(f"gpu-check: no case matches {options.only!r}; --list prints them", file=sys.stderr)
        return 2
    if not options.lib.is_file():
        print(f"gpu-check: {options.lib} is not there; build it with `cargo build --release`, or "
              "name it with --lib", file=sys.stderr)
        return 2
    began = time.monotonic()
    lib = options.lib.resolve()
    try:
        had = kept.read(options.rest) if options.rest else kept.Kept()
        last = kept.read(options.after) if options.after else had
    except (OSError, ValueError) as problem:
        print(f"gpu-check: {problem}", file=sys.stderr)
        return 2
    if had.rows and had.library != kept.identity(lib):
        print(f"gpu-check: {options.rest} is of another library than {options.lib}; a table of both would say nothing "
              "of either. Leave --rest out, or name that library with --lib", file=sys.stderr)
        return 2
    env = clean_environment(work)
    machine = Machine(work)
    needs = sorted({need for case in cases for need in case.needs} | {"driver"})
    machine.look(needs, env)
    if "driver" in machine.unmet:
        print(f"gpu-check: no usable GPU here: {machine.unmet['driver']}", file=sys.stderr)
        return 2
    have = ", ".join(f"{need} {version}" for need, version in sorted(machine.met.items()))
    title = f"gpu-check, Python {sys.version.split()[0]}, {have}"
    print(f"{title}\nlooking around took {time.monotonic() - began:.0f} s", file=sys.stderr)
    rest = [case for case in cases if not had.has(case)]
    if had.rows:
        print(f"{len(cases) - len(rest)} cases of {len(cases)} are in {options.rest}", file=sys.stderr)
    with kept.Keeper(options.json, title, lib, [row for case in cases if had.has(case) for row in had.of(case)]) as keep:
        results = Runs(lib, env, work, machine, options.jobs, began + options.limit, keep=keep, last=last)
        rows = _in_order(cases, [*keep.rows, *results.all(rest)])
    print(table.aligned(rows))
    for row in rows:
        if row["result"] == "FAIL":
            print(_last_words(row))
    print(f"\n{table.summary(rows)}  ({time.monotonic() - began:.0f} s)")
    late = list(dict.fromkeys(row["case"] for row in rows if row["note"] == TIME_UP))
    if late:
        further = f"; scripts/gpu-check --rest {options.json} runs them" if options.json else ""
        print(f"not run, because {TIME_UP}{further}:\n  " + "\n  ".join(late))
    if options.markdown:
        options.markdown.write_text(table.markdown(rows, title))
    if late:
        return UNFINISHED
    bad = {"FAIL"} if options.allow_missing else {"FAIL", "not run"}
    return int(any(row["result"] in bad for row in rows))


def _in_order(cases, rows):
    """The rows as the table has them: by case."""
    places = {case.name: place for place, case in enumerate(cases)}
    return sorted(rows, key=lambda row: places[row["case"]])


def in_turn(cases, last):
    """In which order cases are started: what failed last, then the short ones, with a long one among every few."""
    def length(case):
        return last.seconds(case) or case.timeout

    failed = [case for case in cases if last.failed(case)]
    rest = sorted((case for case in cases if case not in failed), key=length)
    turn = sorted(failed, key=length)
    while rest:
        long_one = (len(turn) - len(failed)) % LONG_ONE_IN == LONG_ONE_IN - 1
        turn.append(rest.pop(-1 if long_one else 0))
    return turn


class Runs:
    """Runs cases side by side and judges each when its bare run and its guarded runs are there."""

    # What has fewer seconds left than this is not started.
    least = 5

    def __init__(self, lib, env, work, machine, jobs, deadline, programs=PROGRAMS, keep=None, last=None):
        self.lib, self.env, self.work, self.machine = lib, env, work, machine
        self.jobs, self.deadline, self.programs = jobs, deadline, programs
        self.keep, self.last = keep or (lambda rows: None), last or kept.Kept()
        self.jax = threading.Semaphore(JAX_AT_ONCE)

    def all(self, cases):
        """One row a case and policy; each case's are given to `keep` as soon as they are there."""
        rows, pending = [], {}
        for case in cases:
            if self._missing(case):
                rows += self._told(case, pending)
        for alone in (False, True):
            some = [case for case in cases if case.alone == alone and not self._missing(case)]
            with ThreadPoolExecutor(max_workers=1 if alone else self.jobs) as pool:
                waits = {}
                for case in in_turn(some, self.last):
                    for run_of_it in self._start(case, pool, pending):
                        waits.setdefault(run_of_it, []).append(case)
                open_runs = {case.name: sum(case in cases_of for cases_of in waits.values()) for case in some}
                for ended in as_completed(waits):
                    for case in waits[ended]:
                        open_runs[case.name] -= 1
                        if not open_runs[case.name]:
                            rows += self._told(case, pending)
        return _in_order(cases, rows)

    def _told(self, case, pending):
        rows = list(self._rows(case, pending))
        self.keep(rows)
        return rows

    def _start(self, case, pool, pending):
        """The runs of one case, started; a bare run is made once for all cases of the same program."""
        runs = []
        for turn in range(case.bare_runs):
            bare = _bare_run(case, turn)
            if bare not in pending:
                pending[bare] = pool.submit(self._one, case, BARE, turn)
            runs.append(pending[bare])
        for policy in case.policies:
            pending[case.name, policy] = pool.submit(self._one, case, policy)
            runs.append(pending[case.name, policy])
        return runs

    def _missing(self, case):
        return [need for need in case.needs if need in self.machine.unmet]

    def _one(self, case, policy, turn=0):
        """One run; None when the time was up before it ended."""
        # Short: multiprocessing puts sockets there, whose names are limited to 107 bytes.
        name = f"{CASES.index(case) if case in CASES else case.name}-{policy}{turn or ''}"
        folder = self.work / re.sub(r"\W+", "-", name)
        command = command_for(case, self.programs, self.machine.binaries)
        with self.jax if "jax" in case.needs else contextlib.nullcontext():
            left = self.deadline - time.monotonic()
            if left < self.least:
                return None
            seen = run(command, case, policy, self.env, self.lib, folder, min(case.timeout, left))
        # It was not the program that took too long.
        return None if seen.timed_out and left < case.timeout else seen

    def _rows(self, case, pending):
        missing = self._missing(case)
        if missing:
            why = "; ".join(f"{need}: {self.machine.unmet[need]}" for need in missing)
            yield _row(case, "all", "not run", why, Outcome())
            return
        bares = [pending[_bare_run(case, turn)].result() for turn in range(case.bare_runs)]
        bares = [bare for bare in bares if bare is not None]
        sources = {
            place: self.programs / case.elsewhere.get(place, case.program) for place in PLACES
        }
        binary = self.machine.binaries.get(case.binary)
        for policy in (BARE, *case.policies):
            seen = next(iter(bares), None) if policy == BARE else pending[case.name, policy].result()
            if seen is None or not bares:
                yield _row(case, policy, "not run", TIME_UP, Outcome())
                continue
            if policy == BARE:
                problems = judge_bare(case, seen)
            else:
                verdicts = [judge(case, policy, seen, bare, sources, binary) for bare in bares]
                problems = min(verdicts, key=len)
            note = "; ".join(problems) if problems else _good_note(case, policy, seen)
            yield _row(case, policy, "FAIL" if problems else "ok", note, seen)
            print(f"{'FAIL' if problems else 'ok  '} {case.name} / {policy}", file=sys.stderr)


def _bare_run(case, turn):
    """What two cases must have in common to have one bare run."""
    return case.program, case.args, case.binary, tuple(sorted(case.env.items())), turn


def _row(case, policy, result, note, seen):
    return {
        "case": case.name,
        "group": case.group,
        "policy": policy,
        "expectation": _expectation(case, policy),
        "result": result,
        "note": note,
        "seconds": round(seen.seconds, 1),
        "code": seen.code,
        "stdout": seen.stdout[-KEPT_OUTPUT:],
        "stderr": seen.stderr[-KEPT_OUTPUT:],
        "events": seen.events[:4],
    }


def _expectation(case, policy):
    if policy == BARE:
        return "hangs, as today" if case.hangs else "as today"
    if case.expect == "served":
        return "works in fresh processes" if case.rewritten else "works"
    if case.expect == "carried":
        return children_expected(case.told)
    if case.expect == "silent" or policy == "off":
        return "same as bare"
    if policy == "warn":
        return "report, outcome as bare"
    code = case.guard.get("FORKGUARD_EXIT_CODE")
    return f"report, exit code {code}" if code else "report, SIGABRT"


def _good_note(case, policy, seen):
    if policy != BARE and case.expect == "served":
        return starts_told(seen)
    if policy != BARE and case.expect == "carried":
        return children_told(seen)
    if case.hangs and seen.delay is not None:
        return f"report after {seen.delay:.2f} s"
    for event in seen.events:
        if event.get("event") == "violation":
            return f"{event.get('function')}, through {event.get('library')}"
    return ""


def _last_words(row):
    """What a failing run said last, so that the table can be acted on without running it again."""
    text = [f"\n---- {row['case']} / {row['policy']}: {row['note']}"]
    for stream in ("stdout", "stderr"):
        lines = row[stream].splitlines()[-30:]
        text += [f"  -- {stream}, last {len(lines)} lines", *[f"  {line}" for line in lines]]
    return "\n".join(text)
