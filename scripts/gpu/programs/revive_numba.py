"""numba: the parent only asks (`is_available()`, the devices, no context); the forked child uses the GPU. `... WORK`:
`copy` (an array there and back) or `kernel`, which numba compiles where it finds an NVVM that it can use.
Today: `CudaDriverError: CUDA initialized before forking`.
"""

import multiprocessing
import sys

import numpy
from numba import cuda
from outcome import attempt, await_processes, say


@cuda.jit
def triple(numbers):
    place = cuda.grid(1)
    if place < numbers.size:
        numbers[place] *= 3


def work():
    numbers = cuda.to_device(numpy.arange(1000))
    if sys.argv[1] == "kernel":
        triple[8, 128](numbers)
    return numbers.copy_to_host().sum()


def child():
    say(f"child: {attempt(work)}")


def main():
    say(f"parent asks: {attempt(cuda.is_available)}, {len(cuda.gpus)} device")
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    await_processes([process])
    say(f"parent: {work()}")


main()
