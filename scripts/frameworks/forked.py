"""What the programs here share: a child's work, done in a process of its own (`plain`) or in a forked one (`absent`).

A program makes what a parent has, and then has a child work with it. The library is for the forked child only; in the
plain run nothing forks, and what is printed is what the framework does on the CPU.
"""

import ctypes
import os
import signal
import sys
import threading
import warnings

# Seconds: a child that waits for a thread of its parent's waits for ever.
PATIENCE = 60


def say(*what):
    print(*what, flush=True)


def attempt(what, work):
    """What comes of it, in words that do not depend on the process."""
    try:
        say(f"{what}:", work())
    except Exception as error:  # whatever a framework raises is what its users see
        say(f"{what}:", type(error).__name__)


def in_threads(work, count=4):
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_child(work):
    """In the plain run, here."""
    if sys.argv[1] == "plain":
        work()
        return
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE)
        work()
        os._exit(0)
    ended = os.waitpid(pid, 0)[1]
    if ended != 0:
        raise SystemExit(f"the child of {work.__name__} ended with {ended}")


def run(works):
    """One child after another, each with one of the works."""
    if sys.argv[1] == "absent" and ctypes.CDLL("libcuda.so.1").cuInit(0) != 0:
        raise SystemExit("no driver")
    # Python and the frameworks say that a fork may deadlock.
    warnings.simplefilter("ignore")
    for work in works:
        say(f"-- {work.__name__}")
        in_child(work)
