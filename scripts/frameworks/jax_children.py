"""JAX's children: arrays, compiled functions, randomness, devices, threads and a grandchild."""

import jax
import jax.numpy as jnp
import numpy

from forked import attempt, in_child, in_threads, run, say


def square_sum(matrix):
    return (matrix @ matrix).sum()


matrix, vector = jnp.ones((600, 600)), jnp.arange(5.0)
placed = jax.device_put(numpy.arange(4), jax.devices()[0])
key = jax.random.PRNGKey(3)
compiled, closure = jax.jit(square_sum), jax.jit(lambda x: x + vector)
compiled(matrix), closure(1), jnp.fft.fft(numpy.ones(4096)).block_until_ready()
weights = {"w": jnp.full((5, 3), 0.1), "b": jnp.zeros(3)}
deleted = jnp.ones(3)
deleted.delete()


def nothing():
    pass


def use():
    say(jax.devices(), jax.default_backend(), jax.local_device_count())
    say(int(compiled(numpy.ones((600, 600), numpy.float32))), int(compiled(matrix)), closure(1), vector * placed[1])
    say(jax.random.normal(key, (3,)), jax.random.split(key))
    say(jnp.fft.fft(numpy.ones(4096)).sum().real, jnp.linalg.inv(numpy.eye(2) + 1), jnp.sort(vector)[::-1])
    say(int(jax.lax.conv(jnp.ones((1, 3, 64, 64)), jnp.ones((8, 3, 3, 3)), (1, 1), "SAME").sum()))
    say(jax.pmap(lambda x: x + 1)(numpy.arange(1)), jax.vmap(lambda x: 2 * x)(placed))
    say(jax.pure_callback(lambda _: numpy.full(5, 2, numpy.float32), jax.ShapeDtypeStruct((5,), numpy.float32), vector))
    attempt("deleted", lambda: deleted + 1)
    attempt("cuda", lambda: jax.devices("cuda"))


def train():
    def loss(weights):
        return ((vector @ weights["w"] + weights["b"] - 1) ** 2).mean()

    step = jax.jit(jax.value_and_grad(loss))
    values, now = [], weights
    for _ in range(20):
        value, gradient = step(now)
        now = jax.tree_util.tree_map(lambda w, g: w - 0.01 * g, now, gradient)
        values.append(float(value))
    say([f"{value:.5f}" for value in values[::5]])


def committed():
    say(placed + 1, (placed * placed).devices() == set(jax.devices()))


def threads():
    in_threads(lambda: say(closure(2)))


def grandchild():
    say(closure(2))
    in_child(lambda: say(closure(3), int(compiled(matrix))))


run([nothing, use, train, committed, threads, grandchild])
