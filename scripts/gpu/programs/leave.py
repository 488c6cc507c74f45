"""A child inherits GPU objects, never uses CUDA, and leaves: by `sys.exit` (the interpreter tears
down what the parent made) or by `os._exit`. Must be silent, with the exit code of the bare run.

Arguments: the library, and the way out.
"""

import importlib
import os
import sys

from outcome import await_pid, say


def make(library):
    """An object on the GPU, and the streams, handles and modules that come with it."""
    module = importlib.import_module(library)
    if library == "torch":
        value = module.ones(64, 64, device="cuda")
        return [value @ value, module.cuda.Stream(), module.cuda.Event()]
    if library == "cupy":
        return [module.arange(64).reshape(8, 8) * 2.0, module.cuda.Stream(), module.cuda.Event()]
    if library == "numba.cuda":
        array = importlib.import_module("numpy").arange(64)
        return [module.to_device(array), module.stream(), module.event()]
    jnp = importlib.import_module("jax.numpy")
    return [module.block_until_ready(jnp.ones((8, 8)) @ jnp.ones((8, 8)))]


def main():
    kept = make(sys.argv[1])
    pid = os.fork()
    if pid == 0:
        if sys.argv[2] == "sys.exit":
            sys.exit(7)
        os._exit(7)
    await_pid(pid, patience=15)
    say(f"parent still holds {len(kept)}")


main()
