"""The command line of scripts/gpu-bench, and the order of things: look what the machine has, then one case after the
other, each as long as its share of the time.

A pair of a case is two fresh processes, one bare and one guarded. All pairs of a case live at the same time, on the same
cores, and the two of a pair take short turns, one right after the other (turns.py), so that what the machine does
meanwhile is in both. What is left are differences from process to process, like where its memory lies, in the spread of
the pairs.

Those are left out by the second row of a case: each guarded process takes turns with itself, the guard's stubs out of
its memory and in it (stubs.c). What the guard does in a long run besides, nothing that is known of, is in the first row.
A third row tells how many driver calls a unit of work makes, and what they cost by scripts/bench's figure.
"""

import argparse
import contextlib
import itertools
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
import record as records
from bench import cores, madeup
from bench.cases import CASES, CHILDREN, ITSELF, NATIVE, SERVED
from bench.turns import Fours, order
from bench.workers import Failed, Worker
from check.run import clean_environment
from figures import Row
from figures import number as shown
from record import Record

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
COSTS = ROOT / "scripts" / "data" / "costs"
# The packages' is the one that users get.
LIBRARIES = [TARGET / "package" / "binaries" / "libforkguard.so", TARGET / "release" / "libforkguard.so"]
# How many programs get ready at a time, and how long that, or one measurement, may take.
AT_ONCE = 4 + len(os.sched_getaffinity(0))
READY_SECONDS = 120
ANSWER_SECONDS = 60
# What the rows that are not cases take, of all there is.
SMALL_SHARE = 0.1
# Of a case's share, what its pairs have where each guarded process takes turns with itself as well.
TWINS_SHARE = 0.65
# A process's turns with itself need not be long, for nothing has to come back to it; these are so many seconds, and it
# takes so many fours of them at a time.
SHORT, AT_A_TIME = 0.005, 20
# Of its driver calls, at least so many have to go without the guard where its stubs are out.
TAKEN_OUT = 0.95
FUNCTIONS_TOLD = 4
# Pairs when the script is tried on itself: as few as a verdict needs.
PAIRS_ITSELF = 6


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="scripts/gpu-bench",
        description="Measures what libforkguard.so costs CUDA programs on this machine's GPU: PyTorch, CuPy and JAX "
        "in the long run, the driver's calls and forks by themselves, and what revive and cpu add.",
    )
    parser.add_argument("--lib", type=Path, help="the library (the packages', or the release build)")
    parser.add_argument("--pairs", type=int, default=10, help="of a bare and a guarded process, of each case (10)")
    parser.add_argument("--limit", type=float, default=540, metavar="SECONDS",
                        help="for all of it, divided over the rows (540)")
    parser.add_argument("--only", default="", metavar="PATTERN", help="rows whose key matches")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go as well, after every turn")
    parser.add_argument("--again", action="store_true",
                        help="FILE has an earlier run's rows, with this library on this machine: those that are not "
                        "measured now stay in it")
    parser.add_argument("--on-cpu", action="store_true",
                        help="try the script where there is no GPU; the figures mean nothing")
    parser.add_argument("--check-figures", action="store_true",
                        help="needs no GPU and no library: whether the right things are made of turns that are made up")
    parser.add_argument("--check-itself", action="store_true",
                        help="needs no GPU: what is the same has to be no worse, and what is slower by 1 %% has to be "
                        "told; of a machine that is at rest")
    options = parser.parse_args(argv)
    if options.again and not options.json:
        parser.error("--again goes on with the file that --json names")
    return options


def main(argv):
    options = arguments(argv)
    if options.check_figures:
        return _told_wrong(madeup.problems())
    library = options.lib or next((path for path in LIBRARIES if path.is_file()), LIBRARIES[0])
    if not library.is_file():
        print(f"gpu-bench: {library} is not there; build it with scripts/package.d/build, or name it with --lib",
              file=sys.stderr)
        return 2
    told = machine.described()
    if options.check_itself:
        options.on_cpu, options.pairs = True, PAIRS_ITSELF
    if "gpu" not in told and not options.on_cpu:
        print("gpu-bench: no usable GPU here", file=sys.stderr)
        return 2
    work = Path(tempfile.mkdtemp(prefix="gpu-bench-"))
    try:
        record = Record("scripts/gpu-bench", library, told, options.json)
        if options.again:
            try:
                record.go_on()
            except (OSError, TypeError, ValueError) as trouble:
                print(f"gpu-bench: {trouble}", file=sys.stderr)
                return 2
        bench = GpuBench(options, library.resolve(), record, work)
        return bench.check_itself() if options.check_itself else bench.run()
    finally:
        shutil.rmtree(work, ignore_errors=True)


class GpuBench:
    """One run: the library, the environment of its programs, and the time that is left."""

    def __init__(self, options, library, record, work):
        self.options, self.library, self.record, self.work = options, library, record, work
        self.ends = time.monotonic() + options.limit
        self.environment = _environment(work, options.on_cpu)
        self.missing = 0
        # A program's arguments: how many units last as long as one turn should.
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
        self._cases(cases)
        return int(self.missing > 0)

    def check_itself(self):
        """Whether the script tells what it has to tell of programs that are known."""
        self.record.start()
        self._cases([case for case, _ in ITSELF])
        rows = self.record.rows
        wrong = [
            f"{case.key} is told as {rows[case.key].verdict()}"
            for case, never in ITSELF if rows[case.key].verdict() in (never, "not measured")
        ]
        calls = rows["itself-calls"]
        if not calls.pairs or {calls for _, calls in calls.pairs} != {1.0}:
            wrong.append("of calls that go through the guard, one a unit, others are counted")
        return _told_wrong(wrong)

    # The cases ------------------------------------------------------------------------------------------------------

    def _cases(self, cases):
        if cases:
            self._look(cases)
        for done, case in enumerate(cases):
            left = max(0, self.ends - time.monotonic())
            share = case.weight / sum(other.weight for other in cases[done:])
            self._case(case, time.monotonic() + left * share)

    def _look(self, cases):
        """One bare process of each program: whether it works here, how fast it is, and the files are read once."""
        self._build_helpers()
        programs = {case.program_and_arguments(): case for case in cases}
        workers = {program: self._worker(case, 0) for program, case in programs.items()}
        for program, worker in workers.items():
            try:
                self.record.told["machine"].setdefault("packages", {}).update(worker.answer(READY_SECONDS))
            except Failed as failed:
                self.faults[program] = str(failed)
        # When all are there: what still starts would make the others look slow.
        for program, worker in workers.items():
            try:
                if program not in self.faults:
                    self._pin(programs[program], [worker])
                    self.counts[program] = self._count(worker, programs[program].lasts)
            except Failed as failed:
                self.faults[program] = str(failed)
            finally:
                worker.kill()

    def _build_helpers(self):
        """For every process of every case, so that the two sides differ by nothing else than the guard."""
        helpers = {"BENCH_STUBS": HERE / "stubs.c", "BENCH_CALLS": HERE / "programs" / "native_calls.c"}
        for variable, source in helpers.items():
            library = self.work / f"{source.stem}.so"
            try:
                self._compiled(source, library, "-shared", "-fPIC")
                self.environment[variable] = str(library)
            except Failed as failed:
                self.faults[variable] = str(failed)

    @staticmethod
    def _count(worker, lasts):
        count = 1
        while True:
            told = _turn(worker, count)
            done, seconds = told.get("units", count), told["seconds"]
            if seconds >= lasts / 4:
                return max(1, round(done * lasts / seconds))
            count *= 4

    def _case(self, case, ends):
        row = Row(case.key, case.what, case.unit, case.aim, twins=_are_twins(case))
        also = Row(case.also.key, case.also.what, case.also.unit, case.also.aim) if case.also else None
        workers = []
        try:
            with self._telling(*filter(None, (row, also))):
                if time.monotonic() > self.ends:
                    raise Failed("the time was up")
                if case.program_and_arguments() in self.faults:
                    raise Failed(self.faults[case.program_and_arguments()])
                pairs = self._pairs(case, workers)
                began = time.monotonic()
                share = TWINS_SHARE if case.stubs else 1
                self._twins(case, pairs, began + share * (ends - began), row, also)
                if case.stubs:
                    for worker in workers:
                        worker.must_be_silent()
                else:
                    _let_end(workers)
            if case.stubs:
                self._with_itself(case, [guarded for _, guarded in pairs] if row.pairs else [], ends, row)
        finally:
            for worker in workers:
                worker.kill()

    @contextlib.contextmanager
    def _telling(self, *rows):
        """Rows that end here; of which one process failed, they say nothing."""
        try:
            yield
        except Failed as failed:
            for row in rows:
                row.pairs, row.note = [], str(failed)
            self.missing += len(rows)
        for row in rows:
            self.record.end(row)

    def _pairs(self, case, workers):
        """Pairs of processes that are ready; all that were started are in `workers`, too."""
        pairs, waiting = [], []
        for _ in range(self.options.pairs):
            pair = self._worker(case, 0), self._worker(case, 1)
            workers += pair
            waiting += pair
            pairs.append(pair)
            if len(waiting) >= AT_ONCE:
                self._await(waiting)
        self._await(waiting)
        self._pin(case, workers)
        return pairs

    @staticmethod
    def _await(waiting):
        while waiting:
            waiting.pop(0).answer(READY_SECONDS)

    @staticmethod
    def _pin(case, workers):
        """When they are ready: all of them on one core would take long for that."""
        onto = cores.chosen(case.cores or max(1, len(os.sched_getaffinity(0)) - 1))
        for worker in workers:
            worker.pin(onto)

    def _twins(self, case, pairs, ends, row, also):
        count = self.counts[case.program_and_arguments()]
        alsos = [([], []) for _ in pairs]

        def one_four(number, orders):
            (sides,) = orders
            told = [_turn(pairs[number][side], count) for side in sides]
            for side, one in zip(sides, told) if also else ():
                alsos[number][side].append(one["also"] * case.also.scale)
            return [[_figure(case, count, one) for one in told]]

        for row.pairs in self._fours(len(pairs), ends, one_four):
            self.record.keep(row)
            if also:
                also.pairs = [tuple(median(side) for side in both) for both in alsos]
                self.record.keep(also)

    @staticmethod
    def _fours(pairs, ends, turns, at_a_time=1):
        """All pairs' figures so far, after each round in which every pair had so many times four turns, until the time
        is over. `turns` has a pair take turns in the orders that it is given, and answers their figures."""
        fours = [Fours() for _ in range(pairs)]
        for begun in itertools.count(step=at_a_time):
            for number, of_pair in enumerate(fours):
                if begun and time.monotonic() > ends:
                    least, most = len(fours[-1]), len(fours[0])
                    yield [of_pair.pair() for of_pair in fours]
                    print(f"    {pairs} pairs, {least}{f' to {most}' if most > least else ''} times four turns each")
                    return
                orders = [order(begun + number + place) for place in range(at_a_time)]
                for sides, figures in zip(orders, turns(number, orders)):
                    of_pair.take(sides, figures)
            yield [of_pair.pair() for of_pair in fours]

    def _with_itself(self, case, workers, ends, row):
        """The guarded processes, each by turns without the guard's stubs and with them."""
        stubs = Row(f"{case.key}-stubs", "the same in one process, stubs out and in", case.unit, case.aim,
                    twins=_are_twins(case))
        calls = Row(f"{case.key}-calls", "driver calls that one of these makes", "calls")
        # A call makes one call.
        with self._telling(stubs, *([calls] if case.a_second else [])):
            if "BENCH_STUBS" in self.faults or not workers:
                raise Failed(self.faults.get("BENCH_STUBS", row.note))
            count = self.counts[case.program_and_arguments()]
            calls.exact = True
            calls.pairs = [(None, self._through(worker, count)) for worker in workers]
            print(f"    {self._functions(workers[0], count)}")
            around = 1 - sum(self._left(worker, count) for worker in workers) / sum(told for _, told in calls.pairs)
            if around < TAKEN_OUT:
                raise Failed(f"only {around:.0%} of its driver calls go by what can be found in its memory")

            short = max(1, round(count * SHORT / case.lasts))

            def several(number, orders):
                told = workers[number].ask(ANSWER_SECONDS, do="fours", count=short, orders=orders)
                return [[_figure(case, short, {"seconds": each}) for each in four] for four in told["fours"]]

            for stubs.pairs in self._fours(len(workers), ends, several, AT_A_TIME):
                self.record.keep(stubs)
            # What the program copied while they were out would not come back.
            again = sum(self._through(worker, count) for worker in workers)
            if abs(again / sum(told for _, told in calls.pairs) - 1) > 1 - TAKEN_OUT:
                raise Failed("its driver calls do not all go through the guard again")
            calls.note = _costs(calls.guarded(), stubs.bare())
            _let_end(workers)

    @staticmethod
    def _through(worker, count):
        """Driver calls that go through the guard, for each unit of work."""
        told = worker.ask(ANSWER_SECONDS, do="calls", count=count)
        if not told["calls"]:
            raise Failed("it calls the driver no time")
        return told["calls"] / count

    @staticmethod
    def _functions(worker, count):
        """Which these are, the most frequent ones."""
        told = worker.ask(ANSWER_SECONDS, do="calls", count=count)["functions"]
        most = sorted(told.items(), key=lambda function: -function[1])[:FUNCTIONS_TOLD]
        return ", ".join(f"{name} {times / count:.3g}" for name, times in most)

    @staticmethod
    def _left(worker, count):
        """The same, while all places that lead to the guard's stubs lead to the driver."""
        if worker.ask(ANSWER_SECONDS, do="find")["places"] <= 0:
            raise Failed("no place in its memory leads to the guard")
        worker.ask(ANSWER_SECONDS, do="out")
        told = worker.ask(ANSWER_SECONDS, do="calls", count=count)
        worker.ask(ANSWER_SECONDS, do="in")
        return told["calls"] / count

    def _worker(self, case, side):
        command = [sys.executable, str(HERE / "programs" / case.program), *case.arguments]
        errors = tempfile.mkstemp(dir=self.work, suffix=".stderr")
        os.close(errors[0])
        env = self._guarded(self.library if case.sides[side] else None, case.guard)
        return Worker(command, {**env, "BENCH_MORE": str(case.more * side)}, errors[1])

    def _guarded(self, library, guard):
        return {**self.environment, "LD_PRELOAD": str(library), **guard} if library else self.environment

    # The driver by itself -------------------------------------------------------------------------------------------

    def _natives(self, natives, ends):
        rows = [Row(native.key, native.what, native.unit, native.aim) for native in natives]
        asked = [word for native in natives for word in (native.mode, str(native.count))]
        with self._telling(*rows):
            measure = self.work / "measure"
            self._compiled(ROOT / "scripts" / "bench.d" / "measure.c", measure)
            while len(rows[0].pairs) < self.options.pairs and (not rows[0].pairs or time.monotonic() < ends):
                order = (None, self.library) if len(rows[0].pairs) % 2 else (self.library, None)
                figures = {library: self._ran([measure, *asked], library, {}).split() for library in order}
                for number, row in enumerate(rows):
                    row.pairs.append((float(figures[None][number]), float(figures[self.library][number])))
                    self.record.keep(row)

    @staticmethod
    def _compiled(source, output, *flags):
        try:
            built = subprocess.run(["gcc", "-O2", *flags, "-o", output, source, "-ldl"], capture_output=True, text=True)
        except FileNotFoundError:
            raise Failed("no gcc here") from None
        if built.returncode:
            raise Failed(f"{source.name} did not compile: {built.stderr.strip()}")

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


def _told_wrong(problems):
    for problem in problems:
        print(f"gpu-bench: WRONG: {problem}")
    return int(bool(problems))


def _turn(worker, count):
    return worker.ask(ANSWER_SECONDS, do="turn", count=count)


def _let_end(workers):
    for worker in workers:
        worker.let_end()
    for worker in workers:
        worker.end()


def _costs(calls, a_second):
    """What a unit's driver calls cost by the figure of scripts/bench, of its own time here."""
    try:
        _, rows = records.read(COSTS / "cpu.json")
        (each,) = [one.more() for one in rows if one.key == "call"]
    except (OSError, ValueError):
        return ""
    share = calls * each * 1e-9 * a_second
    return f"{shown(each)} ns each by `scripts/bench`: {share:.3%} of its time"


def _are_twins(case):
    """Whether a ratio is what its aim is about."""
    return case.aim is not None and case.aim.kind in ("share", "times")


def _figure(case, count, told):
    done = told.get("units", count)
    return done / told["seconds"] if case.a_second else case.scale * told["seconds"] / done


def _environment(work, on_cpu):
    """What every program starts from."""
    env = clean_environment(work)
    # A dictionary's order is not what is compared.
    env["PYTHONHASHSEED"] = "0"
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
