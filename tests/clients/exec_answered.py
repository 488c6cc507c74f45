"""Proves when a fresh process begins: an audit hook of the program's, which is asked after the guard's, finds it
waiting. Prints what came of it, when all processes have ended.

    forbidden   the hook forbids the fork: the worker has not worked
    killed      the hook kills its program: the worker has not worked
    ended       a program ends as soon as its worker is started: that one works on, as a forked one does
    started     the hook lets the fork be made
"""
import ctypes
import multiprocessing
import os
import signal
import sys

CHILD_SUBREAPER = 36
context = multiprocessing.get_context("fork")
ours, theirs = context.Pipe()
what = ""


def work():
    theirs.send("worked")


def children():
    found = set()
    for task in os.listdir("/proc/self/task"):
        with open("/proc/self/task/%s/children" % task) as told:
            found.update(map(int, told.read().split()))
    return found


def one_waits():
    """Whether a child of this process waits for a lock: `1: -> POSIX ADVISORY WRITE 4242 …`."""
    with open("/proc/locks") as locks:
        words = list(map(str.split, locks))
    return bool({int(found[5]) for found in words if found[1] == "->"} & children())


def hook(event, _):
    if event == "os.fork" and what in ("forbidden", "killed"):
        # Until it waits, or has worked.
        while not one_waits() and not ours.poll(0.001):
            pass
        if what == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError("forbidden")


def program():
    assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    process = context.Process(target=work)
    try:
        process.start()
    except RuntimeError:
        assert what == "forbidden"
    if what == "started":
        process.join()
        assert process.exitcode == 0
    os._exit(0)


assert ctypes.CDLL(None).prctl(CHILD_SUBREAPER, 1, 0, 0, 0) == 0
sys.addaudithook(hook)
for case in ("forbidden", "killed", "ended", "started"):
    if os.fork() == 0:
        what = case
        program()
    # All that it leaves behind are this process's.
    while children():
        os.wait()
    print("%s: %s" % (case, ours.recv() if ours.poll(0) else "no answer"), flush=True)
