"""numba: the parent copies an array to the GPU; the forked child does so too.

Today: `CudaDriverError: CUDA initialized before forking`, which names neither place.
"""

import multiprocessing

import numpy
from numba import cuda
from outcome import attempt, await_processes, say


def child():
    say(attempt(lambda: cuda.to_device(numpy.arange(4)).copy_to_host().sum()))  # USE


def main():
    say(f"parent: {cuda.to_device(numpy.arange(4)).copy_to_host().sum()}")  # INIT
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()  # FORK
    await_processes([process])


main()
