"""PyTorch: kernels of one element, one after the other. The processor's time to launch them is all there is."""

import torch
from segments import DEVICE, ON_CPU, serve

number = torch.zeros(1, device=DEVICE)


def work(count):
    for _ in range(count):
        number.add_(1)
    if not ON_CPU:
        torch.cuda.synchronize()


serve(work, torch=torch.__version__)
