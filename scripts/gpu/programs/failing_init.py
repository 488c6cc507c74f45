"""Initialisation that fails initialises nothing: no child of such a parent is in the wrong.

`driver`: cuInit answers 100 (no device is visible), the forked child makes the GPU visible and
tries again. `torch`: the parent asks torch, is told False, and the child tries to use CUDA.
"""

import ctypes
import os
import sys

from outcome import attempt, await_pid, say


def by_driver():
    return ctypes.CDLL("libcuda.so.1").cuInit(0)


def by_torch(ask):
    import torch

    return torch.cuda.is_available() if ask else torch.ones(4, device="cuda").sum().item()


def main():
    torch = sys.argv[1] == "torch"
    say(f"parent: {by_torch(ask=True) if torch else by_driver()}")
    pid = os.fork()
    if pid == 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = "0"
        say(f"child: {attempt(lambda: by_torch(ask=False) if torch else by_driver())}")
        os._exit(0)
    await_pid(pid)


main()
