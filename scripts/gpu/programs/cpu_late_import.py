"""A framework that only the forked child imports sees no CUDA there (policy `cpu`), from the start. `... FRAMEWORK`
in a parent that has initialised the driver. What each says today differs: torch and numba see no GPU or an error,
CuPy and JAX fail.
"""

import ctypes
import os
import sys

from outcome import attempt, await_pid, say


def torch():
    import torch

    return torch.cuda.is_available(), torch.cuda.device_count(), torch.cuda.is_initialized()


def cupy():
    import cupy

    return cupy.cuda.is_available()


def numba():
    from numba import cuda

    return cuda.is_available()


def jax():
    import jax
    import jax.numpy as jnp

    return jax.default_backend(), float(jnp.arange(4.0).sum())


def main():
    say(f"parent: {ctypes.CDLL('libcuda.so.1').cuInit(0)}")
    pid = os.fork()
    if pid == 0:
        say(f"child: {attempt(globals()[sys.argv[1]])}")
        os._exit(0)
    await_pid(pid)


main()
