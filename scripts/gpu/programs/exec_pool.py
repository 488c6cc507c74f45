"""CuPy, numba and JAX: the parent computes on the GPU, then the two workers of a Pool do, each its own
share of the tasks. `... cupy|numba|jax [multiprocess]`: the package whose Pool it is, if not Python's.
"""

import importlib
import sys

import fresh
import numpy
from outcome import attempt, await_pool, say


def by_cupy(number):
    import cupy

    return int((cupy.arange(8) * number).sum())


def by_numba(number):
    from numba import cuda

    return int(cuda.to_device(numpy.arange(8) * number).copy_to_host().sum())


def by_jax(number):
    import jax.numpy as jnp

    return int((jnp.arange(8) * number).sum())


multiprocessing = importlib.import_module(sys.argv[2] if len(sys.argv) > 2 else "multiprocessing")
compute = {"cupy": by_cupy, "numba": by_numba, "jax": by_jax}[sys.argv[1]]


def work(number):
    return attempt(lambda: compute(number))


def main():
    say(f"parent: {compute(1)}")
    pool = multiprocessing.get_context("fork").Pool(2, initializer=fresh.tell)
    pending = pool.map_async(work, range(4), chunksize=1)
    pending.wait(60)
    if pending.ready():
        await_pool(pool, pending)
    else:
        say("the workers hang")
        pool.terminate()
    say(f"parent again: {compute(2)}")


main()
