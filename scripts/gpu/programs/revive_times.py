"""How long a child waits for its first CUDA call: twenty of them, one after the other, in a parent that has only
called cuInit. The guard's events tell its own share and the driver's; this tells that the call as a whole
takes no longer than both. Today the call fails.
"""

import os
import time
from statistics import median

import driver_work
from driver_work import attempt_work
from outcome import attempt, say

CHILDREN = 20


def main():
    driver_work.start()
    took, failed = [], set()
    for _ in range(CHILDREN):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            began = time.monotonic()
            answer = attempt(driver_work.devices)
            os.write(writer, f"{time.monotonic() - began} {answer}".encode())
            os._exit(0)
        os.close(writer)
        with open(reader) as answers:
            seconds, _, answer = answers.read().partition(" ")
        os.waitpid(pid, 0)
        if answer.isdigit():
            took.append(float(seconds))
        else:
            failed.add(answer or "no answer")
    say(f"children: {sorted(failed) or 'all well'}")
    say(f"first call within 60 ms: {bool(took) and median(took) < 0.06}")
    say(f"parent: {attempt_work()}")


main()
