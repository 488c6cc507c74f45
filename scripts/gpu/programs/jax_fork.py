"""JAX: the parent runs one operation and forks.

`operate`: the child runs an operation too. Today that hangs for ever, without a driver call in
the child's thread. `look`: the child asks for the devices and computes with numpy, which is fine.
"""

import multiprocessing
import sys

import jax
import jax.numpy as jnp
import numpy
from outcome import await_processes, say


def child(what):
    if what == "look":
        say(f"child: {len(jax.devices())} device, {numpy.arange(4).sum()}")
        return
    say("operation starts")
    value = jax.block_until_ready(jnp.ones(4) + 1)  # USE
    say(f"child: {value.sum()}")


def main():
    value = jax.block_until_ready(jnp.ones(4) + 1)  # INIT
    say(f"parent: {value.sum()}")
    process = multiprocessing.get_context("fork").Process(target=child, args=(sys.argv[1],))
    process.start()  # FORK
    await_processes([process], patience=10)


main()
