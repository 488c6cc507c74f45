"""CuPy on the GPU, then a forked child in which CUDA is absent (policy `cpu`): it is not available, and says why.

Expected of the child, which ends by sys.exit with 0: `available: False`; `array made here`, `parent's array, HOW`,
`synchronize` and `thread` each `CUDARuntimeError: cudaErrorNoDevice: ... no CPU mode ...`; `parent's array, shape:
(5,)`. The parent then computes on: `parent again: 10`.
"""

import os
import sys
import threading

import cupy
from outcome import attempt, await_pid, say


def child():
    global array
    say(f"available: {cupy.cuda.is_available()}")
    say(f"device count: {attempt(cupy.cuda.runtime.getDeviceCount)}")
    say(f"array made here: {attempt(lambda: cupy.arange(8).sum())}")
    say(f"parent's array, sum: {attempt(lambda: array.sum())}")
    say(f"parent's array, to host: {attempt(lambda: cupy.asnumpy(array))}")
    say(f"parent's array, printed: {attempt(lambda: repr(array))}")
    say(f"parent's array, shape: {array.shape}")
    say(f"synchronize: {attempt(cupy.cuda.Device(0).synchronize)}")
    thread = threading.Thread(target=lambda: say(f"thread: {attempt(lambda: cupy.zeros(3))}"))
    thread.start()
    thread.join()
    del array


array = cupy.arange(5)
say(f"parent: {array.sum()}")
pid = os.fork()
if pid == 0:
    child()
    sys.exit(0)
await_pid(pid)
say(f"parent again: {array.sum()}")
