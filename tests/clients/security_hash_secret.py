"""Prints whether a worker has its parent's hashes, and what /proc tells of the environment that it was started with."""

import ctypes
import multiprocessing
import os

context = multiprocessing.get_context("fork")
ours, theirs = context.Pipe()
driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0
TEXT = "of which every interpreter makes another number"


def work():
    with open("/proc/self/environ", "rb") as environment:
        names = [entry.partition(b"=") for entry in environment.read().split(b"\0")]
    told = [name.decode() for name, _, value in names if b"SECRET" in name and value]
    theirs.send((os.getppid() == parent, hash(TEXT) == hashed, told, [name for name in os.environ if "SECRET" in name]))


parent, hashed = os.getpid(), hash(TEXT)
process = context.Process(target=work)
process.start()
print(*ours.recv())
process.join()
