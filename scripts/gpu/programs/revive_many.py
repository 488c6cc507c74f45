"""Many children that each have CUDA of their own. `... HOW`, in a parent that has a context:

`200`: two hundred, one after the other; every fourth makes a context and runs a kernel, the others initialise
CUDA and count the devices (a context takes the GPU 0.1 s). `16`: sixteen at once, each with a kernel.
The parent runs a kernel after every tenth child, and last. Today every child fails.
"""

import os
import sys
from collections import Counter

import driver_work
from driver_work import Work, attempt_work
from handover import Signal
from outcome import attempt, say


def start(number, full, answers, go=None):
    pid = os.fork()
    if pid == 0:
        if go:
            go.wait()
        answer = attempt(attempt_work if full else driver_work.devices)
        os.write(answers, f"{answer}\n".encode())
        os._exit(0)
    return pid


def main():
    work = Work()
    results = [work.run(10)]
    reader, writer = os.pipe()
    exits = Counter()
    if sys.argv[1] == "200":
        for number in range(200):
            exits[os.waitstatus_to_exitcode(os.waitpid(start(number, number % 4 == 0, writer), 0)[1])] += 1
            if number % 10 == 0:
                results.append(work.run(10))
    else:
        go = Signal()
        pids = [start(number, True, writer, go) for number in range(16)]
        go.give(b"." * len(pids))
        results.append(work.run(500))
        for pid in pids:
            exits[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])] += 1
    os.close(writer)
    with open(reader) as answers:
        told = Counter(answers.read().splitlines())
    for answer, count in sorted(told.items()):
        say(f"child: {answer} ({count} times)")
    say(f"exits: {dict(exits)}")
    results.append(work.run(100))
    say(f"parent every time: {sorted(set(results))}")


main()
