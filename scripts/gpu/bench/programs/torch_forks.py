"""PyTorch that has used the GPU forks: until the child, which does nothing, was waited for."""

import os

import torch
from segments import DEVICE, serve

product = torch.randn(256, 256, device=DEVICE) @ torch.randn(256, 256, device=DEVICE)
product.sum().item()


def work(count):
    for _ in range(count):
        child = os.fork()
        if child == 0:
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0, "a child did not end well"


serve(work, torch=torch.__version__)
