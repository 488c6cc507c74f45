"""A parent with a context runs kernels before, during and after the life of a child that has CUDA of its own,
and ends cleanly. `... ENDING`

ENDING: the child `leaves` when it is told to, or is `killed` (SIGKILL) in the middle of its work.
Its memory on the GPU, and what is in it, stay the parent's: the child runs the same kernel on its own.
Today the child's first call fails.
"""

import os
import signal
import sys

from driver_work import Work
from handover import Signal
from outcome import attempt, await_pid, say


def child(working, leave):
    work = Work()
    say(f"child: {work.run(10)}")
    working.give()
    while not leave.is_given():
        result = work.run(10)
        if result != "right":
            say(f"child: {result}")
            break


def main():
    work = Work()
    say(f"parent before: {work.run(100)}")
    working, leave = Signal(), Signal()
    pid = os.fork()
    if pid == 0:
        failed = attempt(lambda: child(working, leave))
        if failed != "None":
            say(f"child: {failed}")
            working.give()
        os._exit(0)
    working.wait(pid)
    say(f"parent during: {work.run(500)}")
    if sys.argv[1] == "killed":
        os.kill(pid, signal.SIGKILL)
    else:
        leave.give()
    await_pid(pid)
    say(f"parent after: {work.run(100)}")


main()
