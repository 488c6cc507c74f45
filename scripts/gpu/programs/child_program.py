"""A parent on the GPU starts a fresh program, which uses CUDA: right, and must stay silent.

The argument says how: `subprocess`, `preexec` (subprocess with a preexec_fn, which makes CPython
fork and exec instead of vfork), or `posix_spawn`.
"""

import os
import subprocess
import sys

from cuda.bindings import driver
from outcome import await_pid, say

CHILD = [sys.executable, __file__, "child"]


def use(who):
    codes = [driver.cuInit(0)[0].name, driver.cuDeviceGet(0)[0].name]
    codes.append(driver.cuDevicePrimaryCtxRetain(0)[0].name)
    say(f"{who}: {codes}")


def main(how):
    if how == "child":
        use("child")
        return
    use("parent")
    if how == "posix_spawn":
        await_pid(os.posix_spawn(CHILD[0], CHILD, os.environ))
    else:
        preexec = os.getpid if how == "preexec" else None
        say(f"child exit: {subprocess.run(CHILD, preexec_fn=preexec).returncode}")
    use("parent again")


main(sys.argv[1])
