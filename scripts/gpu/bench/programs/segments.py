"""What the programs share: they get ready, say so, and then do what each line of their input asks for, a JSON object,
and answer with one. At the input's end they end.

    {"do": "turn", "count": N}     so many units of their work, and how long they took
    {"do": "calls", "count": N}    the same, and how many of the driver's functions it called through the guard
    {"do": "find"}                 how many places of this process's memory lead to the guard's stubs
    {"do": "out"}, {"do": "in"}    the stubs are taken out of there, or put back
    {"do": "fours", "count": N, "orders": [[0, 1, 1, 0], ...]}
                                   turns with the stubs out (0) and in (1), as ordered, and how long each took

With BENCH_CPU in the environment the work is done by the processor, and the driver is one that stands in: for trying
the script where there is no GPU. The figures mean nothing then. They are of the processor's own time, because such a
machine may be at other work as well.
"""

import ctypes
import json
import os
import sys
import time

ON_CPU = "BENCH_CPU" in os.environ
if ON_CPU:
    assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0, "cuInit fails"
DEVICE = "cpu" if ON_CPU else "cuda"
CLOCK = time.thread_time if ON_CPU else time.perf_counter
WARM_UP = 0.5
# So much more work than was asked for is done: what the script has to tell when it is tried on itself.
MORE = float(os.environ.get("BENCH_MORE", 0))


class Stubs:
    """The guard's stubs in this process (stubs.c)."""

    def __init__(self, path):
        self._library = ctypes.CDLL(path)
        self._library.stubs_counted.restype = ctypes.c_uint64
        self._library.stubs_counted.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

    def find(self):
        return {"places": self._library.stubs_find()}

    def out(self):
        return {"places": self._library.stubs_out()}

    def back(self):
        return {"places": self._library.stubs_in()}

    def calls(self, work, count):
        text = ctypes.create_string_buffer(1 << 16)
        self._library.stubs_count()
        told = work(count) or {}
        calls = self._library.stubs_counted(text, len(text))
        functions = dict(line.split() for line in text.value.decode().splitlines())
        return {**told, "calls": calls, "functions": {name: int(times) for name, times in functions.items()}}


def serve(work, prelude=True, **versions):
    """`work` does so many units and waits for the GPU; it may return more that is to be told. A prelude brings the GPU
    from the other side's process to this one before the clock runs, and the processor's caches as well."""
    # What a framework prints is not an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    stubs = Stubs(os.environ["BENCH_STUBS"]) if "BENCH_STUBS" in os.environ else None

    def answer(**told):
        print(json.dumps(told), file=answers, flush=True)

    def turn(count):
        if prelude:
            work(max(1, count // 10))
        began = CLOCK()
        told = work(round(count * (1 + MORE))) or {}
        return {"seconds": CLOCK() - began, **told}

    def fours(count, orders):
        took = []
        for sides in orders:
            took.append([])
            for side in sides:
                (stubs.back if side else stubs.out)()
                took[-1].append(turn(count)["seconds"])
        stubs.back()
        return {"fours": took}

    # The first units load what all others use.
    warm = time.monotonic() + WARM_UP
    work(1)
    while time.monotonic() < warm:
        work(1)
    answer(**versions)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "turn":
            answer(**turn(asked["count"]))
        elif asked["do"] == "calls":
            answer(**stubs.calls(work, asked["count"]))
        elif asked["do"] == "fours":
            answer(**fours(asked["count"], asked["orders"]))
        else:
            answer(**{"find": stubs.find, "out": stubs.out, "in": stubs.back}[asked["do"]]())
