# Leaves a process behind that uses CUDA when the command that watched is gone. It says so by the end of its output.
import ctypes
import os
import time

if os.fork() == 0:
    folder = os.path.dirname(os.environ["FORKGUARD_TRACE"])
    while os.path.exists(folder):
        time.sleep(0.01)
    print("initialised", ctypes.CDLL("libcuda.so.1").cuInit(0), flush=True)
    os._exit(0)
