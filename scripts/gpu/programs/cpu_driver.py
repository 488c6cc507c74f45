"""CUDA is absent in a forked child (policy `cpu`), asked at the driver itself, by ctypes: cuInit, a query, in a
thread, in a child of its own and in a program that it starts. NVML is left alone. The parent keeps its GPU.
Today every call in the child answers 3, and the program that it starts has the GPU.
"""

import ctypes
import os
import subprocess
import sys
import threading

from outcome import await_pid, say

NO_DEVICE_SHOWN = "import ctypes, os; print('program:', ctypes.CDLL('libcuda.so.1').cuInit(0), " \
                  "repr(os.environ.get('CUDA_VISIBLE_DEVICES')), flush=True)"
cuda = ctypes.CDLL("libcuda.so.1")
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p


def ask(who):
    count, version = ctypes.c_int(-1), ctypes.c_int()
    say(f"{who}: cuInit {cuda.cuInit(0)}, cuDeviceGetCount {cuda.cuDeviceGetCount(ctypes.byref(count))}, "
        f"cuDriverGetVersion {cuda.cuDriverGetVersion(ctypes.byref(version))}")


def ask_nvml(who):
    nvml, count = ctypes.CDLL("libnvidia-ml.so.1"), ctypes.c_uint()
    say(f"{who}: nvmlInit {nvml.nvmlInit_v2()}, nvmlDeviceGetCount "
        f"{nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))}, {count.value > 0}")


def forked(who, work):
    pid = os.fork()
    if pid == 0:
        work(who)
        os._exit(0)
    await_pid(pid)


def child(who):
    say(f"{who}: CUDA_VISIBLE_DEVICES {os.environ.get('CUDA_VISIBLE_DEVICES')!r}, "
        f"{libc.getenv(b'CUDA_VISIBLE_DEVICES')!r}")
    ask(who)
    thread = threading.Thread(target=ask, args=(f"{who}'s thread",))
    thread.start()
    thread.join()
    ask_nvml(who)
    forked(f"{who}'s child", ask)
    subprocess.run([sys.executable, "-c", NO_DEVICE_SHOWN], check=True)


def main():
    ask("parent")
    forked("child", child)
    ask("parent again")
    say(f"parent: CUDA_VISIBLE_DEVICES {os.environ.get('CUDA_VISIBLE_DEVICES')!r}")


main()
