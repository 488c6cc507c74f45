"""numba on the GPU, then a forked child in which CUDA is absent (policy `cpu`): it is not available, and says why.

Expected of the child, which ends by sys.exit with 0: `available: False`; every other line `CudaSupportError: ... its
parent process (pid N) has it ...`, a parent's array included. The parent then goes on: `parent again: [0, 1, 2, 3]`.
"""

import os
import sys

import numpy
from numba import cuda
from outcome import await_pid, say


def attempt(work):
    """numba puts the reason into the second line of its error."""
    try:
        return f"{work()}"
    except Exception as error:  # whatever is raised is what users see
        return f"{type(error).__name__}: {' '.join(str(error).split())}"


def child():
    global array
    say(f"available: {attempt(cuda.is_available)}")
    say(f"array made here: {attempt(lambda: cuda.to_device(numpy.arange(4)))}")
    say(f"parent's array: {attempt(lambda: array.copy_to_host())}")
    say(f"detect: {attempt(cuda.detect)}")
    say(f"devices: {attempt(lambda: list(cuda.gpus))}")
    say(f"synchronize: {attempt(cuda.synchronize)}")
    del array


array = cuda.to_device(numpy.arange(4))
pid = os.fork()
if pid == 0:
    child()
    sys.exit(0)
await_pid(pid)
say(f"parent again: {array.copy_to_host().tolist()}")
