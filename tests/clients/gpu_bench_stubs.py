"""`gpu_bench_stubs.py STUBS`: what scripts/gpu-bench does to a program with its stubs.c: counts its driver calls, takes
the guard's stubs out of its memory, puts them back. Then it forks, and the child calls the driver.
"""

import ctypes
import os
import sys

cuda, stubs = ctypes.CDLL("libcuda.so.1"), ctypes.CDLL(sys.argv[1])
stubs.stubs_counted.restype = ctypes.c_uint64
stubs.stubs_counted.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
number = ctypes.c_int()
place = ctypes.byref(number)
ask, version = cuda.cuDeviceGetCount, cuda.cuDriverGetVersion


def counted():
    text = ctypes.create_string_buffer(4096)
    stubs.stubs_count()
    answers = {ask(place) for _ in range(300)} | {version(place) for _ in range(20)}
    calls = stubs.stubs_counted(text, len(text))
    return calls, text.value.decode().split(), answers


assert cuda.cuInit(0) == 0
print("called", {ask(place), version(place)})
found = stubs.stubs_find()
print("found", found >= 2 if "LD_PRELOAD" in os.environ else found)
print(*counted())
print("out", stubs.stubs_out() == found)
print(*counted())
print("in", stubs.stubs_in() == found)
print(*counted())
sys.stdout.flush()
if "LD_PRELOAD" in os.environ:
    child = os.fork()
    if child == 0:
        ask(place)
        os._exit(0)
    os.waitpid(child, 0)
