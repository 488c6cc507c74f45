"""µs of fork, _exit and wait after cuInit, of a Python program with 40 frames of its own and some 20 calls through C
between them, as a framework's programs have: `deep_forks.py COUNT` prints the median.
"""

import ctypes
import os
import sys
import time
from statistics import median

FRAMES = 40


def deep(left, work):
    if left == 0:
        return work()
    # Through C, and from there to the next frame of Python.
    return max(map(deep, [left - 1], [work])) if left % 2 else deep(left - 1, work)


def forks():
    times = []
    for _ in range(int(sys.argv[1])):
        began = time.perf_counter()
        child = os.fork()
        if child == 0:
            os._exit(0)
        _, status = os.waitpid(child, 0)
        times.append(time.perf_counter() - began)
        assert status == 0, "a child did not end well"
    return median(times) * 1e6


if __name__ == "__main__":
    assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0, "cuInit fails"
    print(deep(FRAMES, forks))
