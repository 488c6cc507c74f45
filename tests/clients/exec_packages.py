"""Proves that packages which start workers in multiprocessing's way are served as it is. `... PACKAGE`

multiprocess, billiard, joblib: a pool of workers that use CUDA after the parent initialised it. numpy: arrays that share
memory in the parent share it in the worker; those over shared memory share it with the parent.
"""
import ctypes
import importlib
import multiprocessing
import sys

driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0


def square(x):
    return driver.cuInit(0), x * x


EXPECTED = [(0, 0), (0, 1), (0, 4), (0, 9)]


def pool(package):
    context = importlib.import_module(package).get_context("fork")
    workers = context.Pool(2)
    assert workers.map(square, range(4)) == EXPECTED
    workers.close()
    workers.join()


def multiprocess():
    pool("multiprocess")


def billiard():
    pool("billiard")


def joblib():
    import joblib

    multiprocessing.set_start_method("fork", force=True)
    work = joblib.Parallel(n_jobs=2, backend="multiprocessing")
    assert work(joblib.delayed(square)(x) for x in range(4)) == EXPECTED


def numpy():
    import numpy

    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    base = numpy.arange(100_000.0)
    view = base[10:20]
    column = numpy.arange(12).reshape(3, 4)[:, 1]
    shared = context.Array("d", 8)
    over_shared = numpy.frombuffer(shared.get_obj())
    numpy.random.seed(3)

    def look():
        view[:] = 0
        over_shared[3] = 42
        theirs.send((float(base[10:20].sum()), column.tolist(), float(numpy.random.random()), driver.cuInit(0)))

    process = context.Process(target=look)
    process.start()
    process.join()
    assert ours.recv() == (0.0, [1, 5, 9], float(numpy.random.random()), 0)
    assert shared[3] == 42 and base[10] == 10


globals()[sys.argv[1]]()
print(sys.argv[1], "ok", flush=True)
