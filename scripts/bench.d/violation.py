"""From a violation to its report: `violation.py HOW` forks a child, from 40 frames deep, that calls the driver, and
prints µs until the first byte of the report came through a pipe, and until the last one.

HOW: `python`, or `torch`, which has some hundred libraries more to look symbols up in. Of one cause only the first
report is told in full, so each process measures once.
"""

import ctypes
import os
import resource
import struct
import sys
import time

from deep_forks import FRAMES, deep

if sys.argv[1] == "torch":
    import torch  # noqa: F401 (it is there for its libraries)

cuda = ctypes.CDLL("libcuda.so.1")


def violate(told, report):
    # A core file is not part of the report.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(report, 2)
    count = ctypes.c_int()
    os.write(told, struct.pack("d", time.monotonic()))
    cuda.cuDeviceGetCount(ctypes.byref(count))
    os._exit(0)


def measure():
    told, tell = os.pipe()
    read, report = os.pipe()
    child = os.fork()
    if child == 0:
        violate(tell, report)
    os.close(report)
    began = struct.unpack("d", os.read(told, 8))[0]
    times = []
    text = b""
    while part := os.read(read, 1 << 16):
        times.append(time.monotonic() - began)
        text += part
    os.waitpid(child, 0)
    assert b"forkguard: CUDA used in a forked process" in text and b"  fix  " in text, text.decode()
    print(times[0] * 1e6, times[-1] * 1e6)


assert cuda.cuInit(0) == 0, "cuInit fails"
deep(FRAMES, measure)
