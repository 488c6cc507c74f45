"""What the Python programs of the soak share: steps.h says what it is."""

import json
import resource
import sys
import time


def processor_time():
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def follow(work):
    """Calls `work` with the number of rounds of each step; it may answer a dictionary of further members."""
    for line in iter(sys.stdin.readline, ""):
        rounds = int(line)
        wall, processor = time.monotonic(), processor_time()
        more = work(rounds)
        taken = {"wall": time.monotonic() - wall, "processor": processor_time() - processor}
        print(json.dumps({"rounds": rounds, **taken, **(more or {})}), flush=True)
