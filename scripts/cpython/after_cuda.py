"""Runs suite.py in a process that has initialised CUDA: under the policy exec its workers become fresh processes. Where
the tests start programs that fork, these initialise CUDA too.

It also counts the workers that the suite's process forks, by the question which code called `os.fork`, so that none is
forgotten: each has to be in the guard's own account.
"""

import ctypes
import os
import sys

import suite

# The ways a program can be started: scripts, -m, packages, zip files, with and without source.
STARTS_PROGRAMS = {"test_multiprocessing_main_handling"}

WORKERS = {"pid": os.getpid(), "workers": 0}


def count():
    code = sys._getframe(1).f_code
    if code.co_name == "_launch" and code.co_filename.endswith("popen_fork.py"):
        WORKERS["workers"] += 1


if __name__ == "__main__":
    answer = ctypes.CDLL("libcuda.so.1").cuInit(0)
    if answer != 0:
        sys.exit(f"after_cuda: cuInit answered {answer}")
    if sys.argv[1] in STARTS_PROGRAMS:
        # Read by pythons.TOLD.
        os.environ["INITIALISE_CUDA"] = "1"
    os.register_at_fork(before=count)
    suite.main(*sys.argv[1:], more=WORKERS)
