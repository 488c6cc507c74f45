"""Starts a worker while system calls fail (clients/inject.c): says what CUDA answered in the worker, and how it ended.

Uses no more of multiprocessing than a start and a join, so that what fails is the guard's.
"""
import ctypes
import multiprocessing
import os


def work(answer):
    cuda = ctypes.CDLL("libcuda.so.1")
    result, count = cuda.cuInit(0), ctypes.c_int()
    os.write(answer, b"init %d count %d\n" % (result, cuda.cuDeviceGetCount(ctypes.byref(count))))


def main():
    assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    context = multiprocessing.get_context("fork")
    worker = context.Process(target=work, args=(1,))
    worker.start()
    worker.join()
    print("exit code", worker.exitcode, flush=True)
    count = ctypes.c_int()
    print("parent", ctypes.CDLL("libcuda.so.1").cuDeviceGetCount(ctypes.byref(count)), flush=True)


main()
