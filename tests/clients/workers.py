"""Proves what a Python program that forks workers sees. `workers.py WAY WORK`

WAY   pool | process | executor | os.fork | subprocess
WORK  clean: the workers only count; cuda: they ask the driver for its devices

The parent initialises CUDA through ctypes first. The lines that a report must name are marked INIT, FORK and USE.
"""
import ctypes
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

driver = ctypes.CDLL("libcuda.so.1")


def initialise():
    return driver.cuInit(0)  # INIT


def work(number):
    if WORK == "cuda":
        devices = ctypes.c_int()
        return driver.cuDeviceGetCount(ctypes.byref(devices))  # USE
    return number * number


def start(context):
    if WAY == "pool":
        with context.Pool(2) as pool:  # FORK pool
            return pool.map(work, range(4))
    if WAY == "process":
        worker = context.Process(target=work, args=(3,))
        worker.start()  # FORK process
        worker.join()
        return worker.exitcode
    if WAY == "executor":
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            return list(pool.map(work, range(4)))  # FORK executor
    if WAY == "os.fork":
        child = os.fork()  # FORK os.fork
        if child == 0:
            work(3)
            os._exit(7)
        return os.waitpid(child, 0)[1]
    if WAY == "subprocess":
        return [subprocess.run(["true"]).returncode, subprocess.run("exit 3", shell=True).returncode, os.system("true")]
    raise SystemExit(f"no way is called {WAY}")


WAY, WORK = sys.argv[1:]
if __name__ == "__main__":
    print("init", initialise(), flush=True)
    print(WAY, start(multiprocessing.get_context("fork")), flush=True)
