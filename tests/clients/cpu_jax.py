"""Proves that JAX computes in a forked child in which CUDA is absent, with the real JAX on its CPU backend.

The threads of the parent's backend do not exist in the child: to compute there, or to be taken down at exit, would wait
for them for ever (the children's alarm, signal 14). `cpu_jax.py use|array|unfinished|unused`: the child uses what there
is; computes with an array of the parent's first, one that was put on a device by name; has an array that the parent was
still computing; or does nothing. Each ends as a program does, and a grandchild computes, too.
"""
import ctypes
import os
import signal
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy

# JAX and Python say that a fork may deadlock.
warnings.simplefilter("ignore")
# Longer than a slow machine takes, shorter than the test's patience.
PATIENCE = 60


def say(*what):
    print(*what, flush=True)


def square_sum(matrix):
    return (matrix @ matrix).sum()


def sum_of_transform():
    return int(jnp.fft.fft(numpy.ones(4096)).sum().real)


def in_child(work):
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE)
        work()
        sys.exit(0)
    say("ended", os.waitpid(pid, 0)[1])


def use():
    say([device.platform for device in jax.devices()], jax.default_backend())
    say("made here", int(square_sum(jnp.ones((300, 300)))))
    say("compiled in the parent", int(compiled(numpy.ones((300, 300), numpy.float32))), closure(1))
    say("parent's arrays", int(square_sum(matrix)), vector + 1, placed + 1, vector.devices() == set(jax.devices()))
    say("random", bool((jax.random.normal(key, (3,)) == random).all()))
    say("gradient", jax.grad(lambda x: (x**2).sum())(vector), jax.vmap(lambda x: 2 * x)(placed))
    say("mapped", jax.pmap(lambda x: x + 1)(numpy.arange(1)))
    say("transformed", sum_of_transform())
    try:
        jax.devices("cuda")
    except RuntimeError as error:
        say("cuda:", type(error).__name__)
    in_child(lambda: say("grandchild", closure(2), int(square_sum(jnp.ones((200, 200))))))


def array():
    say(placed + 1)


def unfinished():
    try:
        say(busy + 1)
    except RuntimeError:
        say("has no value")
    say("others have", vector + 1)


def unused():
    pass


matrix, vector = jnp.ones((300, 300)), jnp.arange(3.0)
placed = jax.device_put(numpy.arange(3), jax.devices()[0])
key = jax.random.key(3)
random = numpy.asarray(jax.random.normal(key, (3,)))
compiled = jax.jit(square_sum)
closure = jax.jit(lambda x: x + vector)
say("parent", int(compiled(numpy.ones((300, 300), numpy.float32))), closure(1), sum_of_transform())
deleted = jnp.ones(3)
deleted.delete()
long = jax.jit(lambda x: jax.lax.fori_loop(0, 60, lambda _, y: (y @ y) * 1e-3, x))
long = long.lower(jnp.ones((1000, 1000))).compile()
if ctypes.CDLL("libcuda.so.1").cuInit(0) != 0:
    raise SystemExit("no driver")
if sys.argv[1] == "unfinished":
    busy = long(jnp.ones((1000, 1000)))
    if busy.is_ready():
        raise SystemExit("the parent has computed it already")
in_child(globals()[sys.argv[1]])
say("parent", closure(1))
