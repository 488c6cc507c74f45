"""torch: the parent uses the GPU, through the runtime; a worker then asks for "cuda" and says what it got.

What each policy makes of it: `revive` must refuse, and the next in the chain has its turn. Today torch refuses.
"""

import multiprocessing

import torch
from outcome import attempt, await_processes, say


def use():
    tensor = torch.ones(4, device="cuda")
    return f"{(tensor * 2).sum().item()} on {tensor.device.type}"


def child():
    say(f"child: {attempt(use)}")  # USE


def main():
    say(f"parent: {use()}")
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    await_processes([process])
    say(f"parent goes on: {use()}")


main()
