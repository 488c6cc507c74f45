"""The command line of scripts/gpu-bench, and the order of things: look what the machine has, then one case after the
other, each as long as its share of the time.

A pair of a case is two fresh processes, one bare and one guarded. All pairs of a case live at the same time, and in
each turn every pair measures once on either side; a pair's figures are the medians of its turns. So what differs from
process to process, like where its memory lies, is in the spread of the pairs, and what differs from second to second
is in both sides.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import machine
from bench.cases import CASES, CHILDREN, NATIVE, SERVED
from bench.workers import Failed, Worker
from check.run import clean_environment
from figures import Row
from record import Record

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# The packages' is the one that users get.
LIBRARIES = [TARGET / "package" / "binaries" / "libforkguard.so", TARGET / "release" / "libforkguard.so"]
# How many programs get ready at a time, and how long that, or one measurement, may take.
AT_ONCE = 4 + len(os.sched_getaffinity(0))
READY_SECONDS = 120
ANSWER_SECONDS = 60
# Of a case's turns, though its share of the time is over.
LEAST_TURNS = 2
# What the rows that are not cases take, of all there is.
SMALL_SHARE = 0.12


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="scripts/gpu-bench",
        description="Measures what libforkguard.so costs CUDA programs on this machine's GPU: PyTorch, CuPy and JAX "
        "in the long run, the driver's calls and forks by themselves, and what revive and cpu add.",
    )
    parser.add_argument("--lib", type=Path, help="the library (the packages', or the release build)")
    parser.add_argument("--pairs", type=int, default=10, help="of a bare and a guarded process, of each case (10)")
    parser.add_argument("--seconds", type=float, default=240, help="for all of it, about (240)")
    parser.add_argument("--only", default="", metavar="PATTERN", help="rows whose key matches")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go as well, after every turn")
    parser.add_argument("--on-cpu", action="store_true",
                        help="try the script where there is no GPU; the figures mean nothing")
    return parser.parse_args(argv)


def main(argv):
    options = arguments(argv)
    library = options.lib or next((path for path in LIBRARIES if path.is_file()), LIBRARIES[0])
    if not library.is_file():
        print(f"gpu-bench: {library} is not there; build it with scripts/package.d/build, or name it with --lib",
              file=sys.stderr)
        return 2
    told = machine.described()
    if "gpu" not in told and not options.on_cpu:
        print("gpu-bench: no usable GPU here", file=sys.stderr)
        return 2
    work = Path(tempfile.mkdtemp(prefix="gpu-bench-"))
    try:
        record = Record("scripts/gpu-bench", library, told, options.json)
        return GpuBench(options, library.resolve(), record, work).run()
    finally:
        shutil.rmtree(work, ignore_errors=True)


class GpuBench:
    """One run: the library, the environment of its programs, and the time that is left."""

    def __init__(self, options, library, record, work):
        self.options, self.library, self.record, self.work = options, library, record, work
        self.ends = time.monotonic() + options.seconds
        self.environment = _environment(work, options.on_cpu)
        self.missing = 0
        # A program's arguments: how many units last as long as one measurement should.
        self.counts = {}
        self.faults = {}

    def run(self):
        def chosen(rows):
            return [row for row in rows if re.search(self.options.only, row.key)]

        cases = chosen(CASES)
        self.record.start()
        small = (SMALL_SHARE if cases else 1) * (self.ends - time.monotonic())
        natives = chosen(NATIVE)
        if natives:
            self._natives(natives, time.monotonic() + small)
        for served in chosen(SERVED):
            self._served(served)
        self._look(cases)
        for done, case in enumerate(cases):
            left = max(0, self.ends - time.monotonic())
            share = case.weight / sum(other.weight for other in cases[done:])
            self._case(case, time.monotonic() + left * share)
        return int(self.missing > 0)

    # The cases ------------------------------------------------------------------------------------------------------

    def _look(self, cases):
        """One bare process of each program: whether it works here, how fast it is, and the files are read once."""
        programs = {_program(case): case for case in cases}
        workers = {program: self._worker(case, None) for program, case in programs.items()}
        for program, worker in workers.items():
            try:
                self.record.told["machine"].setdefault("packages", {}).update(worker.answer(READY_SECONDS))
            except Failed as failed:
                self.faults[program] = str(failed)
        # When all are there: what still starts would make the others look slow.
        for program, worker in workers.items():
            try:
                if program not in self.faults:
                    self.counts[program] = self._count(worker, programs[program].lasts)
            except Failed as failed:
                self.faults[program] = str(failed)
            finally:
                worker.kill()

    @staticmethod
    def _count(worker, lasts):
        count = 1
        while True:
            told = worker.ask(count, ANSWER_SECONDS)
            done, seconds = told.get("units", count), told["seconds"]
            if seconds >= lasts / 4:
                return max(1, round(done * lasts / seconds))
            count *= 4

    def _case(self, case, ends):
        row = Row(case.key, case.what, case.unit, case.aim)
        also = Row(case.also.key, case.also.what, case.also.unit, case.also.aim) if case.also else None
        workers = []
        try:
            if time.monotonic() > self.ends:
                raise Failed("the time was up")
            if _program(case) in self.faults:
                raise Failed(self.faults[_program(case)])
            pairs = self._pairs(case, workers)
            self._turns(case, pairs, ends, row, also)
            for worker in workers:
                worker.let_end()
            for worker in workers:
                worker.end()
        except Failed as failed:
            # A row of which one process failed says nothing.
            row.pairs, row.note = [], str(failed)
            if also:
                also.pairs, also.note = [], str(failed)
            self.missing += 1
        finally:
            for worker in workers:
                worker.kill()
        for each in filter(None, (row, also)):
            self.record.end(each)

    def _pairs(self, case, workers):
        """(bare, guarded) processes that are ready; all that were started are in `workers`, too."""
        pairs, waiting = [], []
        for _ in range(self.options.pairs):
            pair = self._worker(case, None), self._worker(case, self.library)
            workers += pair
            waiting += pair
            pairs.append(pair)
            if len(waiting) >= AT_ONCE:
                self._await(waiting)
        self._await(waiting)
        return pairs

    @staticmethod
    def _await(waiting):
        while waiting:
            waiting.pop(0).answer(READY_SECONDS)

    def _turns(self, case, pairs, ends, row, also):
        count = self.counts[_program(case)]
        told = [([], []) for _ in pairs]
        turns = 0
        while turns == 0 or time.monotonic() < (ends if turns >= LEAST_TURNS else self.ends):
            for number, pair in enumerate(pairs):
                # Who goes first changes from turn to turn, and from pair to pair.
                for side in (0, 1) if (turns + number) % 2 else (1, 0):
                    told[number][side].append(pair[side].ask(count, ANSWER_SECONDS))
            turns += 1
            row.pairs = [tuple(median(_figure(case, count, one) for one in side) for side in both) for both in told]
            self.record.keep(row)
            if also:
                scale = case.also.scale
                also.pairs = [tuple(median(one["also"] * scale for one in side) for side in both) for both in told]
                self.record.keep(also)

    def _worker(self, case, library):
        command = [sys.executable, str(HERE / "programs" / case.program), *case.arguments]
        errors = tempfile.mkstemp(dir=self.work, suffix=".stderr")
        os.close(errors[0])
        return Worker(command, self._guarded(library, case.guard), errors[1])

    def _guarded(self, library, guard):
        return {**self.environment, "LD_PRELOAD": str(library), **guard} if library else self.environment

    # The driver by itself -------------------------------------------------------------------------------------------

    def _natives(self, natives, ends):
        rows = [Row(native.key, native.what, native.unit, native.aim) for native in natives]
        asked = [word for native in natives for word in (native.mode, str(native.count))]
        try:
            measure = self._compiled()
            while len(rows[0].pairs) < self.options.pairs and (not rows[0].pairs or time.monotonic() < ends):
                order = (None, self.library) if len(rows[0].pairs) % 2 else (self.library, None)
                figures = {library: self._ran([measure, *asked], library, {}).split() for library in order}
                for number, row in enumerate(rows):
                    row.pairs.append((float(figures[None][number]), float(figures[self.library][number])))
                    self.record.keep(row)
        except Failed as failed:
            for row in rows:
                row.pairs, row.note = [], str(failed)
            self.missing += len(rows)
        for row in rows:
            self.record.end(row)

    def _compiled(self):
        output = self.work / "measure"
        source = ROOT / "scripts" / "bench.d" / "measure.c"
        try:
            built = subprocess.run(["gcc", "-O2", "-o", output, source, "-ldl"], capture_output=True, text=True)
        except FileNotFoundError:
            raise Failed("no gcc here") from None
        if built.returncode:
            raise Failed(f"measure.c did not compile: {built.stderr.strip()}")
        return output

    # What revive adds -----------------------------------------------------------------------------------------------

    def _served(self, served):
        row = Row(served.key, served.what, "ms", None)
        events = self.work / f"{served.key}.jsonl"
        command = [sys.executable, str(HERE / "programs" / "revived.py"), served.parent, str(CHILDREN)]
        try:
            if self.options.on_cpu and "FAKE_CUDA_NODES" not in os.environ:
                raise Failed("the driver that stands in has no devices")
            self._ran(command, self.library, {**served.guard, "FORKGUARD_REPORT": str(events)})
            told = [json.loads(line) for line in events.read_text().splitlines()]
            times = [(event["driver_us"], event["took_us"]) for event in told if event["event"] == "revived"]
            if len(times) != CHILDREN:
                raise Failed(f"{len(times)} children of {CHILDREN} were revived")
            row.pairs = [(driver / 1000, (driver + ours) / 1000) for driver, ours in times]
            row.note = "bare: the driver's own part of it; without the guard the call fails"
        except Failed as failed:
            row.note = str(failed)
            self.missing += 1
        self.record.end(row)

    def _ran(self, command, library, guard):
        """What a program printed that had to end well, and in silence."""
        try:
            ran = subprocess.run(command, env=self._guarded(library, guard), capture_output=True, text=True,
                                 timeout=READY_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"did not end within {READY_SECONDS} s") from None
        if ran.returncode or "forkguard:" in ran.stderr:
            raise Failed(f"ended with {ran.returncode}: {(ran.stderr.strip().splitlines() or ['no message'])[-1]}")
        return ran.stdout


def _program(case):
    return case.program, case.arguments


def _figure(case, count, told):
    done = told.get("units", count)
    return done / told["seconds"] if case.a_second else case.scale * told["seconds"] / done


def _environment(work, on_cpu):
    """What every program starts from."""
    env = clean_environment(work)
    if on_cpu:
        env["BENCH_CPU"] = "1"
        env["LD_LIBRARY_PATH"] = os.pathsep.join([str(_stand_in(work)), env.get("LD_LIBRARY_PATH", "")])
    return env


def _stand_in(work):
    """The driver of the tests."""
    sources = [ROOT / "tests" / "driver" / name for name in ("driver.c", "devices.c", "lookup.c", "others.c")]
    flags = ["-O1", "-shared", "-fPIC", "-pthread", "-Wl,-Bsymbolic,-soname,libcuda.so.1"]
    subprocess.run(["gcc", *flags, "-o", work / "libcuda.so.1", *sources], check=True)
    return work
