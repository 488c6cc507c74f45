"""torch: workers that train on the GPU, of a parent that has CUDA. `... PARENT WORKERS`

PARENT: `asked` (only `is_available()`) or `model` (a model trained there, as a
worker does it). WORKERS: `pool`, `executor`, or `dataloader`, whose `__getitem__` answers CUDA
tensors, for two epochs of two workers each.

There is no `if __name__` guard: a fork needs none.
"""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import fresh
import torch
from outcome import attempt, await_pool, say, told
from torch.utils.data import DataLoader, Dataset

PARENT, WORKERS = sys.argv[1:]
fork = multiprocessing.get_context("fork")


def train(seed, place):
    """The loss after three steps."""
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)).to(place)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs = torch.randn(64, 16).to(place)
    for _ in range(3):
        optimiser.zero_grad()
        loss = model(inputs).square().mean()
        loss.backward()
        optimiser.step()
    return f"{loss.item():.3f}"


def work(seed):
    return attempt(lambda: f"{train(seed, 'cuda')}, on the CPU {train(seed, 'cpu')}")


class Numbers(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.full((4,), float(index)).cuda()


def with_pool():
    pool = fork.Pool(2, initializer=fresh.tell)
    await_pool(pool, pool.map_async(work, range(4), chunksize=1))


def with_executor():
    executor = ProcessPoolExecutor(2, mp_context=fork, initializer=fresh.tell)
    try:
        futures = [executor.submit(work, seed) for seed in range(4)]
        for future in futures:
            say(f"task: {future.result()}")
    except BrokenProcessPool as error:
        say(told(error))
    executor.shutdown()


def with_dataloader(epochs=2):
    loader = DataLoader(Numbers(), batch_size=2, num_workers=2, multiprocessing_context="fork",
                        worker_init_fn=lambda number: fresh.tell())
    for _ in range(epochs):
        try:
            for batch in loader:
                say(f"batch: {batch.sum().item()} on {batch.device.type}")
        except RuntimeError as error:
            say(told(error))
            break


if PARENT == "asked":
    say(f"parent asks: {torch.cuda.is_available()}")
else:
    for result in map(work, range(4)):
        say(f"parent: {result}")
{
    "pool": with_pool,
    "executor": with_executor,
    "dataloader": with_dataloader,
    "epoch": lambda: with_dataloader(1),
}[WORKERS]()
say("completed")
