"""The fork comes before CUDA is initialised: child and parent both may use it, each its own.

The child waits until the parent has initialised CUDA, so that an order mistaken for the reverse
(fork after initialisation) would show.
"""

import os

import torch
from outcome import attempt, await_pid, say


def main():
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(receiver, 1)
        say(f"child: {attempt(lambda: torch.ones(4, device='cuda').sum().item())}")
        os._exit(0)
    value = torch.ones(4, device="cuda").sum().item()
    say(f"parent: {value}")
    os.write(sender, b"1")
    await_pid(pid)


main()
