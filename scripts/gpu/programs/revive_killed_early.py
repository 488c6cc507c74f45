"""Thirty children are killed (SIGKILL) on their way to CUDA of their own, each a little later than the one before,
so that some die in the middle of it; the parent, which has a context, runs a kernel after each.

Prints how many were, which is never none: at least one child said that it begins and not that it is done.
Today none begins anything: cuInit fails at once.
"""

import os
import signal
import time

import driver_work
from driver_work import Work
from handover import Signal
from outcome import attempt, say

CHILDREN = 30
# The last one may finish: reviving takes about 10 ms, nearly all of it the driver's own.
LATEST = 0.015


def child(begins, ends):
    begins.give()
    ends.give(b"." if attempt(driver_work.start) == "None" else b"!")
    signal.pause()


def main():
    work = Work()
    say(f"parent before: {work.run(10)}")
    middle, failed, results = 0, 0, set()
    for number in range(CHILDREN):
        begins, ends = Signal(), Signal()
        pid = os.fork()
        if pid == 0:
            child(begins, ends)
        begins.wait(pid)
        late = time.monotonic() + LATEST * number / CHILDREN
        while time.monotonic() < late:
            pass
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        middle += not ends.is_given()
        failed += ends.is_given() and ends.wait() == b"!"
        results.add(work.run(10))
        for end in (begins.reader, begins.writer, ends.reader, ends.writer):
            os.close(end)
    say(f"killed in the middle: {middle > 0}, failed: {failed > 0}")
    say(f"parent after each: {sorted(results)}")


main()
