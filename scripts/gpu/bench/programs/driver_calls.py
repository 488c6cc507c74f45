"""Calls of a driver function that does next to nothing, from Python: what the script is tried with on itself."""

import ctypes

import segments

cuda = ctypes.CDLL("libcuda.so.1")
assert cuda.cuInit(0) == 0, "cuInit fails"
number = ctypes.c_int()
place = ctypes.byref(number)
ask = cuda.cuDeviceGetCount


def work(count):
    for _ in range(count):
        ask(place)


segments.serve(work)
