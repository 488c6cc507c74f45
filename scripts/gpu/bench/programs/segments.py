"""What the programs share: they get ready, say so, and then do as many units of their work as each line of their input
says, and answer how long that took. At the input's end they end.

With BENCH_CPU in the environment the work is done by the processor, and the driver is one that stands in: for trying
the script where there is no GPU. The figures mean nothing then.
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
WARM_UP = 0.5


def serve(work, prelude=True, **versions):
    """`work` does so many units and waits for the GPU; it may return more that is to be told. A prelude brings the GPU
    from the other side's process to this one before the clock runs."""
    # What a framework prints is not an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**told):
        print(json.dumps(told), file=answers, flush=True)

    # The first units load what all others use.
    warm = time.monotonic() + WARM_UP
    work(1)
    while time.monotonic() < warm:
        work(1)
    answer(**versions)
    for line in sys.stdin:
        count = int(line)
        if prelude:
            work(max(1, count // 20))
        began = time.perf_counter()
        told = work(count) or {}
        answer(seconds=time.perf_counter() - began, **told)
