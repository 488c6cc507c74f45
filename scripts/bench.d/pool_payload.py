"""A pool whose workers are given much data, after CUDA was initialised. Prints a JSON list: seconds until every worker has
it, MiB that this process wrote until then, MiB of memory that it and its workers have together.

    pool_payload.py METHOD WORKERS MIB WHAT     WHAT: array (of numpy), text

What is written is all that went through `write` and the like, to whomever; memory is counted once where processes share
it (Pss).
"""
import ctypes
import json
import multiprocessing
import sys
import time

METHOD, WHAT = sys.argv[1], sys.argv[4]
WORKERS, MIB = map(int, sys.argv[2:4])
if WHAT == "array":
    import numpy


def written():
    with open("/proc/self/io") as told:
        return next(int(line.split()[1]) for line in told if line.startswith("wchar"))


def memory(pid):
    with open(f"/proc/{pid}/smaps_rollup") as told:
        return next(int(line.split()[1]) for line in told if line.startswith("Pss:")) * 1024


def begin(data, barrier):
    global given
    given = data
    barrier.wait()


def size(_):
    return len(given)


if __name__ == "__main__":
    answer = ctypes.CDLL("libcuda.so.1").cuInit(0)
    assert answer == 0, f"cuInit answers {answer}"
    data = numpy.ones(MIB << 20, numpy.uint8) if WHAT == "array" else "x" * (MIB << 20)
    context = multiprocessing.get_context(METHOD)
    barrier = context.Barrier(WORKERS + 1)
    before, began = written(), time.monotonic()
    with context.Pool(WORKERS, begin, (data, barrier)) as pool:
        # What the pool asks of its workers goes through the same calls, a few bytes each.
        barrier.wait()
        took, wrote = time.monotonic() - began, written() - before
        workers = [process.pid for process in multiprocessing.active_children()]
        assert len(workers) >= WORKERS and set(pool.map(size, range(WORKERS))) == {MIB << 20}
        total = sum(map(memory, ["self", *workers]))
    print(json.dumps([took, wrote / 2**20, total / 2**20]))
