"""`native_calls.py call`: calls of a driver function that does next to nothing, from C. `native_calls.py launch`: launches
of a kernel that does nothing.
"""

import ctypes
import os
import sys

import segments

loops = ctypes.CDLL(os.environ["BENCH_CALLS"])
loops.ready_to_call.restype = loops.ready_to_launch.restype = ctypes.c_char_p
ready = (loops.ready_to_call, loops.ready_to_launch)[: 2 if sys.argv[1] == "launch" else 1]
for step in ready:
    failed = step()
    assert failed is None, f"{failed.decode()} fails"
loop = {"call": loops.call, "launch": loops.launch_often}[sys.argv[1]]
loop.argtypes = [ctypes.c_long]


def work(count):
    assert loop(count) == 0, f"a {sys.argv[1]} fails"


segments.serve(work)
