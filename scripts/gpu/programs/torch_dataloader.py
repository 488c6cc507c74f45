"""torch: a DataLoader with forked workers, in a parent that has used the GPU.

`cpu`: the two workers stay on the CPU, which is right and common. `cuda`: `__getitem__` calls
`.cuda()`; today that raises in the worker and is raised again in the parent. One worker there:
torch raises from its SIGCHLD handler, and a second death could raise anywhere in this program.
"""

import sys

import torch
from outcome import say, told
from torch.utils.data import DataLoader, Dataset


class Numbers(Dataset):
    def __init__(self, place):
        self.place = place

    def __len__(self):
        return 8

    def __getitem__(self, index):
        item = torch.full((4,), float(index))
        if self.place == "cuda":
            return item.cuda()  # USE
        return item


def main():
    model = torch.nn.Linear(4, 4).cuda()  # INIT
    count = 1 if sys.argv[1] == "cuda" else 2
    loader = DataLoader(Numbers(sys.argv[1]), batch_size=2, num_workers=count, multiprocessing_context="fork")
    batches = iter(loader)  # FORK
    workers = list(batches._workers)
    try:
        for batch in batches:
            say(f"batch: {batch.sum().item()} {tuple(model(batch.cuda()).shape)}")
    except RuntimeError as error:
        say(f"{type(error).__name__} from a worker" if sys.argv[1] == "cuda" else told(error))
    batches._shutdown_workers()
    say(f"child exit: {sorted({worker.exitcode for worker in workers})}")


main()
