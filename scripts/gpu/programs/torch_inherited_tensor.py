"""torch: the child of a parent that used the GPU touches a CUDA tensor it inherited.

torch does not refuse here: the runtime reaches the driver (cuCtxGetDevice), which answers 3.
"""

import multiprocessing

import torch
from outcome import attempt, await_processes, say


def child(tensor):
    say(attempt(lambda: (tensor + 1).sum().item()))  # USE


def main():
    tensor = torch.ones(4, device="cuda")  # INIT
    process = multiprocessing.get_context("fork").Process(target=child, args=(tensor,))
    process.start()  # FORK
    await_processes([process])
    say(f"parent goes on: {(tensor + 1).sum().item()}")


main()
