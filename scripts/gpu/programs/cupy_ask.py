"""CuPy: the parent only asks `is_available()`; the forked child computes.

Today the child's question is answered from a cache, then the first array fails with
cudaErrorInitializationError.
"""

import os

import cupy
from outcome import attempt, await_pid, say


def main():
    say(f"parent asks: {cupy.cuda.is_available()}")  # INIT
    pid = os.fork()  # FORK
    if pid == 0:
        say(attempt(lambda: cupy.arange(4).sum()))  # USE
        os._exit(0)
    await_pid(pid)


main()
