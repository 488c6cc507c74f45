"""What the web application answers with, by torch. EARLY=1: importing it asks for a GPU, as many modules do."""

import os

import torch

if os.environ.get("EARLY") == "1":
    torch.cuda.is_available()  # INIT


def compute():
    try:
        total = torch.full((4,), 2.0, device="cuda").sum()  # USE
    except RuntimeError as error:
        return str(error).splitlines()[0]
    wrong = "" if total.item() == 8 else ", wrongly"
    return f"computed {'with' if total.is_cuda else 'without'} CUDA{wrong}"
