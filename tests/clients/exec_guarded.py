"""Proves what becomes of a program where cloudpickle is not installed. `... guarded|unguarded`

HIDE_CLOUDPICKLE makes it unfindable in this process and in those that import it.
"""
import ctypes
import multiprocessing
import os
import sys

if os.environ.get("HIDE_CLOUDPICKLE"):
    sys.modules["cloudpickle"] = None

driver = ctypes.CDLL("libcuda.so.1")
context = multiprocessing.get_context("fork")
setting = "as imported"


def work(number):
    return driver.cuInit(0), setting


def main():
    global setting
    assert driver.cuInit(0) == 0
    setting = "set later"
    with context.Pool(2) as pool:
        print(pool.map(work, range(2)), flush=True)


if __name__ == "__main__" and sys.argv[1] == "guarded":
    main()
if sys.argv[1] == "unguarded":
    main()
