"""The work of a queue's workers, by torch. EARLY=1: importing it asks for a GPU, as many modules do."""

import os

import torch

if os.environ.get("EARLY") == "1":
    torch.cuda.is_available()  # INIT


def plain(number):
    return number * number


def compute(number):
    total = torch.full((8,), float(number), device="cuda").sum()  # USE
    return f"{total.item():.0f} {'with' if total.is_cuda else 'without'} CUDA"
