"""torch.compile of a small function on the GPU: inductor's compile workers are children of a
process that has initialised CUDA, and never use it. Right, and must stay silent.
"""

import torch
from outcome import say


@torch.compile
def wave(x):
    return (torch.sin(x) * 2 + torch.cos(x)).sum()


def main():
    say(f"compiled: {wave(torch.ones(4096, device='cuda')).item():.1f}")
    say(f"compiled again: {wave(torch.ones(8192, device='cuda')).item():.1f}")


main()
