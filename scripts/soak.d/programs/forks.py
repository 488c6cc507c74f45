"""Forks of a Python process that has initialised CUDA, one after the other; the children leave CUDA alone. Steps: see
steps.h. A round is an `os.fork`."""

import ctypes
import os

import steps

driver = ctypes.CDLL("libcuda.so.1")


def child(parent):
    version = ctypes.c_int()
    fine = os.getppid() == parent and driver.cuDriverGetVersion(ctypes.byref(version)) == 0
    os._exit(0 if fine else 3)


def work(rounds):
    parent = os.getpid()
    for _ in range(rounds):
        pid = os.fork()
        if pid == 0:
            child(parent)
        status = os.waitpid(pid, 0)[1]
        assert status == 0, f"a child ended with status {status:#x}"
    try:
        left = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return
    raise AssertionError(f"a child is left that nobody made: {left}")


def main():
    context = ctypes.c_void_p()
    assert driver.cuInit(0) == 0 and driver.cuCtxCreate_v2(ctypes.byref(context), 0, 0) == 0
    steps.follow(work)


main()
