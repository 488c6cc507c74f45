"""Proves who reads what a fresh process is given, and what that process runs before the program's code.

    sealed     nobody can change it (`customize/sitecustomize.py` of the test looks, in the fresh process)
    passed_on  workers that several threads start at a time have nothing of one another's
    alone DIR  in a working directory full of modules that are not to be imported
"""
import ctypes
import multiprocessing
import os
import sys
import threading

context = multiprocessing.get_context("fork")


def has():
    """The files of the guard's that this process has open."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + fd)
        except OSError:
            continue
        if "forkguard" in target:
            found.add(target.split()[0])
    return sorted(found)


def work(pipe):
    with open("/proc/self/cmdline", "rb") as line:
        fresh = line.read().endswith(b"-fork\0")
    pipe.send((fresh, has(), sys.path))


def start():
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs,))
    process.start()
    process.join()
    theirs.close()
    return ours.recv()


def many(found):
    for _ in range(8):
        found.append(start()[:2])


def main(way):
    assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    if way == "passed_on":
        found = []
        threads = [threading.Thread(target=many, args=(found,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        fresh = all(each for each, _ in found)
        print(len(found), fresh, sorted({name for _, names in found for name in names}))
        print([name for name in has() if "payload" in name])
        return
    if way == "alone":
        os.chdir(sys.argv[2])
    fresh, files, path = start()
    print(fresh, files, path == sys.path)


main(sys.argv[1])
