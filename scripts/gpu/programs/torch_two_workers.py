"""torch on two GPUs, a forked worker for each (`torch.multiprocessing.start_processes(start_method="fork")`), after
the parent asked through the runtime. `... HOW`:

`train`: data-parallel training, the gradients averaged by NCCL. `pick`: each worker sets CUDA_VISIBLE_DEVICES to a
GPU of its own and has that one alone. Today torch refuses in the workers.
"""

import ctypes
import os
import sys
import tempfile
import uuid
import warnings

import torch
import torch.distributed
import torch.multiprocessing
from outcome import attempt, say

WORKERS = 2
# PyTorch's own, wherever a backward pass is a process's first use of cuBLAS.
warnings.filterwarnings("ignore", "Attempting to run cuBLAS, but there was no current CUDA context")


def in_use():
    """The GPU of the current context by its UUID, which the driver tells; a runtime that counted devices in the parent
    tells its child what it learnt there."""
    driver, device, name = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(), ctypes.create_string_buffer(16)
    for answer in driver.cuCtxGetDevice(ctypes.byref(device)), driver.cuDeviceGetUuid(name, device):
        assert answer == 0, f"the driver answers {answer}"
    return uuid.UUID(bytes=name.raw)


def train(rank, meeting):
    torch.cuda.set_device(rank)
    torch.distributed.init_process_group("nccl", init_method=f"file://{meeting}", rank=rank, world_size=WORKERS)
    model = torch.nn.Linear(4, 1, bias=False).cuda()
    model = torch.nn.parallel.DistributedDataParallel(model, device_ids=[rank])
    # This worker's gradient is 1 or 3, four times; the mean of both is 2.
    model(torch.full((1, 4), 1.0 + 2 * rank).cuda()).sum().backward()
    gradient = model.module.weight.grad.sum().item()
    torch.distributed.destroy_process_group()
    return f"gradient {gradient}, on cuda:{torch.cuda.current_device()}"


def pick(rank, _):
    os.environ["CUDA_VISIBLE_DEVICES"] = str(rank)
    return f"{torch.ones(4).cuda().sum().item()} on GPU {in_use()}"


def worker(rank, work, folder):
    with open(os.path.join(folder, f"answer-{rank}"), "w") as answer:
        answer.write(attempt(lambda: work(rank, os.path.join(folder, "meeting"))))


def main():
    say(f"parent asks: {torch.cuda.is_available()}")
    work = {"train": train, "pick": pick}[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        workers = torch.multiprocessing.start_processes(
            worker, (work, folder), nprocs=WORKERS, start_method="fork", join=False
        )
        while not workers.join():
            pass
        for rank in range(WORKERS):
            with open(os.path.join(folder, f"answer-{rank}")) as answer:
                # Which GPU it is has another name on each machine.
                name = str(torch.cuda.get_device_properties(rank).uuid)
                say(f"worker {rank}: {answer.read().replace(name, f'of number {rank}')}")
    say(f"parent goes on: {torch.ones(4, device='cuda:1').sum().item()}")


main()
