"""The GPU's memory, and the parent's own, are the same before and after children that had CUDA of their own: one
that frees what it has, one that leaves with it, and one that is killed (SIGKILL). Needs the GPU for itself.
Today the children fail.
"""

import os
import signal
import time

from cuda.bindings import driver
from driver_work import Work, done, free_memory
from handover import Signal
from outcome import attempt, await_pid, say

SIZE = 1 << 30


def child(way, working):
    work = Work()
    memory = done(driver.cuMemAlloc(SIZE))
    done(driver.cuMemsetD8(memory, 7, SIZE))
    say(f"child: {work.run(10)}")
    if way == "frees":
        done(driver.cuMemFree(memory))
    working.give()
    if way == "killed":
        signal.pause()


def settled(before):
    """The kernel gives the memory of a process that is gone back in its own time."""
    give_up = time.monotonic() + 10
    while free_memory() != before and time.monotonic() < give_up:
        time.sleep(0.05)
    return free_memory() - before


def main():
    work = Work()
    say(f"parent before: {work.run(10)}")
    before = free_memory()
    for way in ("frees", "leaves", "killed"):
        working = Signal()
        pid = os.fork()
        if pid == 0:
            failed = attempt(lambda: child(way, working))
            if failed != "None":
                say(f"child: {failed}")
                working.give()
            os._exit(0)
        working.wait(pid)
        if way == "killed":
            os.kill(pid, signal.SIGKILL)
        await_pid(pid)
        say(f"free after {way}: {settled(before):+d} bytes")
        say(f"parent: {work.run(10)}")


main()
