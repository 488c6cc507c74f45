"""accelerate's `notebook_launcher` on two GPUs, as a notebook calls it: a forked worker for each GPU trains, after
something in the notebook asked through the runtime whether there is a GPU. Today torch refuses in the workers, and
accelerate's advice is to find out which import initialised CUDA, and to start the notebook anew.
"""

import socket
import warnings

import torch
from accelerate import Accelerator, notebook_launcher
from outcome import attempt, say

# PyTorch's own, wherever a backward pass is a process's first use of cuBLAS.
warnings.filterwarnings("ignore", "Attempting to run cuBLAS, but there was no current CUDA context")


def train():
    accelerator = Accelerator()
    model = torch.nn.Linear(4, 1, bias=False)
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters()))
    # This worker's gradient is 1 or 3, four times; the mean of both is 2.
    inputs = torch.full((1, 4), 1.0 + 2 * accelerator.process_index, device=accelerator.device)
    accelerator.backward(model(inputs).sum())
    optimizer.step()
    gradient = sum(parameter.grad.sum().item() for parameter in model.parameters())
    accelerator.end_training()
    return f"gradient {gradient}, one of {accelerator.num_processes} on {accelerator.device}"


def worker():
    say(f"trained: {attempt(train)}")


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return str(server.getsockname()[1])


def main():
    say(f"parent asks: {torch.cuda.is_available()}")
    notebook_launcher(worker, num_processes=2, use_port=free_port())
    say(f"parent goes on: {torch.ones(4, device='cuda:1').sum().item()}")


main()
