"""torch: a CUDA tensor goes to workers as an argument, and, with `global`, is a global that they use
besides. One worker after the other adds to it in place: CUDA's memory is shared, as it is with spawn.
"""

import multiprocessing
import sys

import fresh
import torch
from outcome import attempt, await_processes, say

fork = multiprocessing.get_context("fork")
tensor = torch.arange(4.0, device="cuda")
view = tensor[1:3]


def child(given, part):
    fresh.tell(cuda_is_open=True)
    say(attempt(lambda: f"sum {given.add_(1).sum().item()}, of the part {part.sum().item()}"))


def child_by_name(given, part):
    child(given, part)
    say(attempt(lambda: f"by its name {tensor.sum().item()}, same memory {tensor.data_ptr() == given.data_ptr()}"))


def main():
    target = child_by_name if sys.argv[1] == "global" else child
    for _ in range(2):
        process = fork.Process(target=target, args=(tensor, view))
        process.start()
        await_processes([process])
    say(attempt(lambda: f"parent sees {tensor.tolist()}"))


main()
