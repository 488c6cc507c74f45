"""Which cores a case's processes have: all of them the same ones, one after the other, so that no two differ by the core
that each was given, or by what runs beside it.
"""

import os
import re
from pathlib import Path


def chosen(count):
    """So many cores, each alone on its hardware if the machine has that many, and never the first, which has the
    machine's own work; the last ones, because programs are put on the first ones."""
    mine = sorted(os.sched_getaffinity(0))
    alone = {_siblings(core): core for core in mine if core != mine[0] or len(mine) == 1}
    cores = sorted(alone.values()) if len(alone) >= count else mine
    return frozenset(cores[-count:])


def _siblings(core):
    """The cores that share this one's hardware, itself included."""
    try:
        text = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").read_text()
    except OSError:
        return frozenset({core})
    numbers = [[int(number) for number in re.findall(r"\d+", part)] for part in text.split(",")]
    return frozenset(one for part in numbers for one in range(part[0], part[-1] + 1))


def pin(process, cores):
    """Puts a process's threads onto these cores, and with them what they start."""
    for thread in os.listdir(f"/proc/{process}/task"):
        try:
            os.sched_setaffinity(int(thread), cores)
        except ProcessLookupError:
            # It has ended meanwhile.
            pass
