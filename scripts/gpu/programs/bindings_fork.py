"""cuda-bindings: the parent initialises the driver, the forked child counts devices.

A client that asks cuGetProcAddress for every name, with no runtime library between.
"""

import os

from cuda.bindings import driver
from outcome import await_pid, say


def main():
    (code,) = driver.cuInit(0)  # INIT
    say(f"parent: {code.name}")
    pid = os.fork()  # FORK
    if pid == 0:
        code, _ = driver.cuDeviceGetCount()  # USE
        say(f"child: {code.name}")
        os._exit(0)
    await_pid(pid)


main()
