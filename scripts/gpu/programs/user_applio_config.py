"""The configuration module of the Applio shape: it asks for the GPU when it is imported."""

import torch

device = "cuda:0" if torch.cuda.is_available() else "cpu"  # INIT
