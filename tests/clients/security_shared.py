"""Proves that a plain fork of a program under FORKGUARD_POLICY=exec cannot harm it by what it shares with it: it writes
rubbish over, and cuts short, each of the guard's own files that it has from its parent. Prints what was refused to it, and
what the program's next worker and its lock do after that.
"""

import ctypes
import multiprocessing
import os

context = multiprocessing.get_context("fork")
driver = ctypes.CDLL("libcuda.so.1")
lock = context.Lock()
assert driver.cuInit(0) == 0


def work(told):
    with lock:
        told.send(driver.cuInit(0))


def worker():
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs,))
    process.start()
    answer = ours.recv()
    process.join()
    return answer, process.exitcode


def of_the_guard():
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            name = os.readlink("/proc/self/fd/%d" % fd).partition(" ")[0]
        except OSError:
            continue
        if name in ("/memfd:forkguard-status", "/memfd:forkguard-semaphores"):
            yield fd, name.rpartition("-")[2]


def hostile():
    refused = []
    for fd, name in of_the_guard():
        if name == "status":
            # What the parent takes for an answer, of a length that is none, and no text.
            page = b"\1" + b"\xff" * 4095
            os.pwrite(fd, page * (os.fstat(fd).st_size // len(page)), 0)
        else:
            try:
                os.ftruncate(fd, 0)
            except PermissionError:
                refused.append(name)
    return refused


print(worker(), flush=True)
there = sorted(name for _, name in of_the_guard())
child = os.fork()
if child == 0:
    print(there, hostile(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
with lock:
    pass
print(worker())
