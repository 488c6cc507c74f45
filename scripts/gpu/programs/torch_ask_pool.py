"""torch: the parent only asks whether CUDA is there; the workers of a Pool then use it.

Today every task fails with torch's "Cannot re-initialize CUDA in forked subprocess", and nothing
says that the question was what initialised CUDA.
"""

import multiprocessing

import torch
from outcome import attempt, await_pool, say


def work(number):
    return attempt(lambda: torch.ones(4).cuda().sum().item() + number)  # USE


def main():
    say(f"parent asks: {torch.cuda.is_available()}")  # INIT
    pool = multiprocessing.get_context("fork").Pool(2)  # FORK
    await_pool(pool, pool.map_async(work, range(4), chunksize=2))


main()
