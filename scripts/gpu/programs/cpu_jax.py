"""JAX on the GPU, then a forked child in which CUDA is absent (policy `cpu`): it computes on the CPU.

Expected of the child that computes, which ends by sys.exit with 0: `devices: ['cpu'] cpu`; `made here: 8.0`; `compiled
in the parent: 8.0`; `gradient: [0.0, 2.0, 4.0]`; `random: True`; `cpu array: [1.0, 2.0, 3.0]`; `gpu array, HOW:
JaxRuntimeError: ... the parent process (pid N) ...` (XlaRuntimeError in older versions) for all ways but three: what a
compiled function closed over has its value (JAX embedded it), a finished array can be waited for, its shape is known;
`gpu: RuntimeError: ...`. Of the child that leaves JAX alone: `idle ends`. The parent then computes on: `parent again:
8.0`. One notice, in the child that computes. Without the guard that child hangs.
"""

import os
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy
from outcome import attempt, await_pid, say

# JAX says that a fork may deadlock.
warnings.simplefilter("ignore")


def square_sum(matrix):
    return (matrix @ matrix).sum()


def fork(work):
    pid = os.fork()
    if pid == 0:
        work()
        sys.exit(0)
    await_pid(pid, patience=30)


def compute():
    say(f"devices: {[device.platform for device in jax.devices()]} {jax.default_backend()}")
    say(f"made here: {square_sum(jnp.ones((2, 2)))}")
    say(f"compiled in the parent: {compiled(numpy.ones((2, 2), numpy.float32))}")
    say(f"gradient: {jax.grad(lambda x: (x**2).sum())(numpy.arange(3.0)).tolist()}")
    say(f"random: {jax.random.normal(jax.random.key(3), (2,)).shape == (2,)}")
    say(f"cpu array: {attempt(lambda: (on_cpu + 1).tolist())}")
    say(f"gpu array, operator: {attempt(lambda: on_gpu + 1)}")
    say(f"gpu array, compiled: {attempt(lambda: compiled(on_gpu))}")
    say(f"gpu array, closed over: {attempt(lambda: closure(1))}")
    say(f"gpu array, committed: {attempt(lambda: committed + 1)}")
    say(f"gpu array, to host: {attempt(lambda: numpy.asarray(unseen))}")
    say(f"gpu array, printed: {attempt(lambda: repr(unseen))}")
    say(f"gpu array, put: {attempt(lambda: jax.device_put(unseen, jax.devices()[0]))}")
    say(f"gpu array, unfinished: {attempt(lambda: busy.block_until_ready().shape)}")
    say(f"gpu array, waited for: {attempt(lambda: unseen.block_until_ready().shape)}")
    say(f"gpu array, shape: {attempt(lambda: unseen.shape)}")
    say(f"gpu: {attempt(lambda: jax.devices('gpu'))}")


def idle():
    say("idle ends")


compiled = jax.jit(square_sum)
on_gpu, unseen = jnp.ones((2, 2)), jnp.arange(3.0) * 2
closure = jax.jit(lambda x: x + on_gpu)
committed = jax.device_put(numpy.arange(3.0), jax.devices()[0])
on_cpu = jax.device_put(numpy.arange(3.0, dtype=numpy.float32), jax.devices("cpu")[0])
long = jax.jit(lambda x: jax.lax.fori_loop(0, 50, lambda _, y: (y @ y) * 1e-4, x))
long(jnp.ones((8000, 8000)))
jax.block_until_ready((on_gpu, unseen, committed, on_cpu))
say(f"parent: {compiled(on_gpu)} {closure(1).sum()} {compiled(numpy.ones((2, 2), numpy.float32))}")
busy = long(jnp.ones((8000, 8000)))
fork(compute)
fork(idle)
say(f"parent again: {compiled(on_gpu)}")
