"""torch where CUDA is absent in forked children: a CUDA tensor is sent to a child by a queue.

Expected under `cpu`: an error in the child that says where the tensor lives. Bare, torch refuses there.
"""

import torch
import torch.multiprocessing
from outcome import attempt, await_processes, say


def child(queue, done):
    say(attempt(queue.get))
    done.set()


def main():
    tensor = torch.ones(4, device="cuda")
    fork = torch.multiprocessing.get_context("fork")
    queue, done = fork.Queue(), fork.Event()
    process = fork.Process(target=child, args=(queue, done))
    process.start()
    queue.put(tensor)
    done.wait()
    await_processes([process])
    say(f"parent goes on: {(tensor + 1).sum().item()}")


main()
