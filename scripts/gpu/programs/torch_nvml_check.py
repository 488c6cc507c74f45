"""torch: the parent only asks `is_available()`, and a plain forked child uses the GPU.

With PYTORCH_NVML_BASED_CUDA_CHECK=1, which the guard sets under the policies that are for going on after a fork,
the question initialises nothing and there is nothing to do for the child. The user's own setting stands. Today, without
that variable, torch refuses in the child.
"""

import os

import torch
from outcome import attempt, await_pid, say


def main():
    say(f"setting: {os.environ.get('PYTORCH_NVML_BASED_CUDA_CHECK')}")
    say(f"parent asks: {torch.cuda.is_available()}")
    pid = os.fork()
    if pid == 0:
        say(f"child: {attempt(lambda: torch.ones(4, device='cuda').sum().item())}")
        os._exit(0)
    await_pid(pid)
    say(f"parent goes on: {torch.ones(4, device='cuda').sum().item()}")


main()
