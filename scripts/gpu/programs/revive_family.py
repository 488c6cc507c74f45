"""A child, its child and that one's child, each with CUDA of its own. `... HOW`

`asking`: only the last runs a kernel, the others initialise CUDA and count the devices. `working`: each, and the
parent, runs a kernel before it forks and again when its child is gone, which takes the word that nobody
uses the handles of the one above (FORKGUARD_REVIVE). Today no child can do anything.

A revived child has the driver's thread, of which Python warns where it forks; bare, no child has one.
"""

import os
import sys
import warnings

import driver_work
from driver_work import Work
from outcome import attempt, await_pid, say

warnings.simplefilter("ignore", DeprecationWarning)
NAMES = ("parent", "child", "grandchild", "great-grandchild")
HOW = sys.argv[1]


def live(depth):
    name, last = NAMES[depth], depth == len(NAMES) - 1
    if HOW == "working" or last:
        work = Work()
        say(f"{name}: {work.run(10)}")
    else:
        work = None
        say(f"{name}: {driver_work.devices()} device")
    if not last:
        pid = os.fork()
        if pid == 0:
            failed = attempt(lambda: live(depth + 1))
            if failed != "None":
                say(f"{NAMES[depth + 1]}: {failed}")
            os._exit(0)
        await_pid(pid)
        say(f"{name} again: {work.run(10) if work else driver_work.devices()}")


live(0)
