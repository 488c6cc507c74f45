"""NVML beside the driver, which keeps files of its own open. `... WHEN`: the parent starts NVML `before` or
`after` cuInit; the forked child uses it before and after its own first CUDA call, then starts it again.

What NVML answers in the child by what it inherited must not depend on CUDA of the child's own (it is the same
bare and before), and NVML started anew answers 0. The parent's goes on. Today the child has no CUDA. (A child that
calls nvmlShutdown without having started it crashes, or takes its parent's NVML down: with and without the guard.)
"""

import ctypes
import os
import sys

import driver_work
from outcome import attempt, await_pid, say

nvml = ctypes.CDLL("libnvidia-ml.so.1")


def start():
    assert nvml.nvmlInit_v2() == 0
    handle = ctypes.c_void_p()
    assert nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)) == 0
    return handle


def ask(handle):
    """The code of a question that NVML takes to the kernel."""
    memory = (ctypes.c_ulonglong * 3)()
    return nvml.nvmlDeviceGetMemoryInfo(handle, memory)


def child(handle):
    before = ask(handle)
    cuda = attempt(driver_work.attempt_work)
    say(f"child: NVML {before} before, {ask(handle)} after; CUDA {cuda}")
    say(f"child: NVML anew {ask(start())}, {nvml.nvmlShutdown()}, CUDA {attempt(driver_work.devices)}")


def main():
    if sys.argv[1] == "before":
        handle = start()
        driver_work.start()
    else:
        driver_work.start()
        handle = start()
    say(f"parent: NVML {ask(handle)}")
    pid = os.fork()
    if pid == 0:
        child(handle)
        os._exit(0)
    await_pid(pid)
    say(f"parent goes on: NVML {ask(handle)}, CUDA {driver_work.attempt_work()}")


main()
