"""Proves what becomes of data in a class that cannot cross into a fresh process. `exec_class_data.py PIECE`

`Registry.source` is set at run time to a generator. Each piece starts a worker that has the class: `only_there` never
asks for the data, `named` does, and `by_a_made_name` does by a name that is in nobody's code. Prints what the worker
saw, and what CUDA answered there.
"""
import ctypes
import multiprocessing
import sys

import exec_config

context = multiprocessing.get_context("fork")
ours, theirs = context.Pipe()
driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0
exec_config.Registry.source = (number for number in [1])


def only_there():
    return exec_config.Registry().items


def named():
    return next(exec_config.Registry.source)


def by_a_made_name():
    try:
        return next(getattr(exec_config.Registry, "".join(["sou", "rce"])))
    except RuntimeError as error:
        return str(error)


def work(look):
    theirs.send((look(), driver.cuInit(0)))


process = context.Process(target=work, args=(vars()[sys.argv[1]],))
process.start()
process.join(60)
assert process.exitcode == 0, process.exitcode
seen, init = ours.recv()
print(sys.argv[1], seen, "init", init)
