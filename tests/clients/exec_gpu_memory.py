"""Proves that what is on the GPU crosses to the workers that use it, and to no others. `exec_gpu_memory.py WHAT`

`Array` stands for a library's array in the GPU's memory, by the protocol's attribute: to make it again initialises
CUDA. The worker tells how many were made there. It uses a global (`used`), gets one as an argument (`argument`) that is
a global too (`both`), does neither (`unused`), finds one on a way that nobody could foresee (`hidden`), or takes the
tasks of a pool that use one (`task`) or do not (`no_task`).
"""
import ctypes
import multiprocessing
import sys

driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0
context = multiprocessing.get_context("fork")
ours, theirs = context.Pipe()
made = []


class Array:
    __cuda_array_interface__ = {"version": 3}

    def __init__(self, number):
        self.number = number

    def __reduce__(self):
        return make, (self.number,)


def make(number):
    made.append(driver.cuInit(0))
    return Array(number)


array = Array(7)
alias = array


def used():
    return array.number, alias is array


def argument(given):
    return given.number


def both(given):
    return given.number, given is array


def unused():
    return "nothing"


def hidden():
    try:
        return getattr(sys.modules["__main__"], "arr" + "ay").number
    except RuntimeError as error:
        return "nothing that the worker was given names it" in str(error)


def task(number):
    return array.number + number, len(made), driver.cuInit(0)


def no_task(number):
    return number, len(made), driver.cuInit(0)


def start(work, *arguments):
    process = context.Process(target=lambda *given: theirs.send((work(*given), made, driver.cuInit(0))), args=arguments)
    process.start()
    process.join(60)
    return ours.recv() if ours.poll() else process.exitcode


what = sys.argv[1]
if what.endswith("task"):
    if what == "no_task":
        # Then no task can use it.
        del task, used, both
    with context.Pool(1) as pool:
        print(pool.map_async(globals()[what], [1, 2]).get(60))
else:
    print(start(globals()[what], *([array] if what in ("argument", "both") else [])))
