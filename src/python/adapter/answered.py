"""In the fresh process: waits until the program knows of it (src/python/spawn.rs says how that is told).

Until then an exception may end the start in the parent, and nothing of the program's is to have run.
"""
import fcntl
import os

# `getppid` in a pid namespace whose first process the parent is not.
OUTSIDE = 0
# `PF_EXITING` of <linux/sched.h>.
EXITING = 4


def wait(payload, parent):
    """False where the parent has died before its `fork` answered: then nobody is to know of this process."""
    try:
        fcntl.lockf(payload, fcntl.LOCK_EX)
    except OSError:
        # There are no locks here, and so none that is waited for.
        return True
    # A program that closed the payload itself has lost its lock, and its worker is to run nevertheless.
    return os.lseek(payload, 0, os.SEEK_CUR) != 0 or not _has_ended(parent)


def _has_ended(parent):
    """Also where it is about to: its files are closed before its children get another parent."""
    try:
        with open("/proc/%d/stat" % parent, "rb") as file:
            if int(file.read().rpartition(b")")[2].split()[6]) & EXITING != 0:
                return True
    except OSError:
        # Nothing mounted, or nobody there any more.
        pass
    # Last: whose entry is gone has handed on its children before.
    return os.getppid() not in (parent, OUTSIDE)
