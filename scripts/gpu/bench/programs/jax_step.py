"""JAX: a jitted step of training a small network. Without autotuning, which chooses otherwise in each process, so that
two processes compute the same.
"""

import os

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_autotune_level=0".strip()

import jax  # noqa: E402 (the flags come first)
import jax.numpy as jnp  # noqa: E402
import segments  # noqa: E402

WIDTH = 256
keys = jax.random.split(jax.random.key(0), 4)
weights = [jax.random.normal(key, (WIDTH, WIDTH)) / WIDTH for key in keys[:2]]
given, wanted = (jax.random.normal(key, (64, WIDTH)) for key in keys[2:])


def loss(weights):
    return jnp.mean((jnp.tanh(given @ weights[0]) @ weights[1] - wanted) ** 2)


@jax.jit
def step(weights):
    return [weight - 0.01 * change for weight, change in zip(weights, jax.grad(loss)(weights))]


def work(count):
    global weights
    for _ in range(count):
        weights = step(weights)
    jax.block_until_ready(weights)


assert segments.ON_CPU or jax.devices()[0].platform == "gpu", "JAX sees no GPU"
segments.serve(work, jax=jax.__version__)
