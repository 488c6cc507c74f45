"""Children with CUDA of their own end in every way there is, and end well. `... PARENT`

PARENT: `init` (only cuInit) or `context` (a kernel, with its memory and its handles, which each child inherits).
The ways: falling off the program's end (`return`), `sys.exit`, `os._exit`, and falling off the end after
CUDA was used in a thread that has ended (`thread`): what the driver keeps for a thread goes with it.
Nothing may crash, hang or speak on the way out, and the parent goes on. Today the children fail at cuInit.
"""

import os
import sys
import threading

import driver_work
from driver_work import Work, attempt_work
from outcome import attempt, await_pid, say

WAYS = ("return", "sys.exit", "os._exit", "thread")
# What the program keeps to its end: the children's interpreters take it down, too.
kept = []


def work(way):
    # A context and memory that are there still when the process ends.
    if way == "thread":
        answers = []
        thread = threading.Thread(target=lambda: answers.append(attempt(attempt_work)))
        thread.start()
        thread.join()
        return answers[0]
    kept.append(Work())
    return kept[-1].run(10)


def main():
    driver_work.start()
    if sys.argv[1] == "context":
        kept.append(Work())
    for way in WAYS:
        pid = os.fork()
        if pid == 0:
            say(f"{way}: {attempt(lambda: work(way))}")
            if way == "os._exit":
                os._exit(0)
            if way == "sys.exit":
                sys.exit(0)
            return
        await_pid(pid, patience=20)
        say(f"parent after {way}: {kept[0].run(10) if kept else driver_work.devices()}")


main()
