"""Proves that a pool does not start workers without end when they cannot be made ready. `exec_not_ready.py WHAT`

`Fragile` can be pickled, and made again only in the process that pickled it. The pool's workers get one as an argument
(`argument`), use one that is a global (`global`), or do not use it (`unused`). Prints what the workers could do.
"""
import ctypes
import multiprocessing
import os
import sys

driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0


def make(pid):
    if os.getpid() != pid:
        raise OSError("the hardware is not to be opened twice")
    return Fragile()


class Fragile:
    def __reduce__(self):
        return make, (os.getpid(),)


what = sys.argv[1]
fragile = Fragile() if what in ("global", "unused") else None
arguments = {"argument": lambda: (Fragile(),), "global": tuple, "unused": tuple}[what]()


def begin(*arguments):
    pass


def begin_with_global():
    assert type(fragile) is Fragile


def work(number):
    return number, driver.cuInit(0)


initializer = begin_with_global if what == "global" else begin
with multiprocessing.get_context("fork").Pool(1, initializer, arguments) as pool:
    print(pool.map_async(work, range(2)).get(60), flush=True)
