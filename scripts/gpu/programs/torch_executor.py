"""torch: a ProcessPoolExecutor of forked workers after the parent used the GPU.

Today every task reports the error, the program prints "completed" and exits 0: a failure that
a log hides.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import torch
from outcome import attempt, say, told


def work(number):
    return attempt(lambda: torch.ones(4, device="cuda").sum().item() + number)  # USE


def main():
    say(f"parent: {torch.ones(4, device='cuda').sum().item()}")  # INIT
    executor = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork"))
    futures = []
    try:
        for number in range(4):
            futures.append(executor.submit(work, number))  # FORK
    except BrokenProcessPool:
        say("the pool broke")
    workers = list((executor._processes or {}).values())
    for future in futures:
        try:
            say(f"task: {future.result()}")
        except Exception as error:
            say(f"task: {told(error)}")
    executor.shutdown()
    say(f"child exit: {sorted({worker.exitcode for worker in workers})}")
    say("completed")


main()
