"""Proves what becomes of a fork that follows `cuInit` at once, on a thread, while the main thread sleeps.

The interpreter cannot be told to watch for forks before the main thread runs again (to Python 3.11): the fork itself
has to be caught. Prints what CUDA answers in the first worker and in a later one.
"""
import ctypes
import multiprocessing
import threading

import cloudpickle

context = multiprocessing.get_context("fork")
ours, theirs = context.Pipe()
driver = ctypes.CDLL("libcuda.so.1")


def start():
    process = context.Process(target=lambda: theirs.send(driver.cuInit(0)))
    process.start()
    process.join()
    return ours.recv()


def begin():
    assert driver.cuInit(0) == 0
    print("at once", start(), flush=True)


thread = threading.Thread(target=begin)
thread.start()
thread.join()
print("later", start(), flush=True)
