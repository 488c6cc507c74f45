"""torch: the parent asks one question (named by the argument) and forks; the child asks again and uses CUDA.

After `is_available` the child's own question is still answered from a cache, then its first use
fails. After `device_count` (NVML), or with PYTORCH_NVML_BASED_CUDA_CHECK=1, the child works.
"""

import os
import sys

import torch
from outcome import attempt, await_pid, say


def main():
    say(f"parent asks: {getattr(torch.cuda, sys.argv[1])()}")  # INIT
    pid = os.fork()  # FORK
    if pid == 0:
        say(f"child asks: {torch.cuda.is_available()}")
        say(attempt(lambda: torch.ones(4).cuda().sum().item()))  # USE
        os._exit(0)
    await_pid(pid)


main()
