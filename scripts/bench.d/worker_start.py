"""Starts workers one after the other, after CUDA was initialised, and prints what each start took, as JSON.

    worker_start.py METHOD IMPORTS GIB STARTS       METHOD: fork, spawn, forkserver; IMPORTS: none, numpy, torch
    worker_start.py METHOD epochs WORKERS EPOCHS    epochs of a torch DataLoader, each with new workers

A start is [seconds until `start()` returned, until the target's first line, until CUDA was ready there], an epoch the
seconds from its iterator to its last batch. The clock is the system's, the same in all processes.
"""
import ctypes
import json
import multiprocessing
import sys
import time

METHOD, WHAT = sys.argv[1:3]
if WHAT == "numpy":
    import numpy  # noqa: F401 (what is imported here is what a worker needs)
elif WHAT in ("torch", "epochs"):
    import torch
    import torch.utils.data


def initialise():
    """As programs do: torch with a context where there is a GPU, else the driver alone."""
    if WHAT in ("torch", "epochs") and torch.cuda.is_available():
        torch.ones(8, device="cuda").sum().item()
        return
    answer = ctypes.CDLL("libcuda.so.1").cuInit(0)
    assert answer == 0, f"cuInit answers {answer}"


def target(sender):
    reached = time.monotonic()
    try:
        initialise()
        ready = time.monotonic()
    except (AssertionError, RuntimeError):
        # A fork of a process that has CUDA.
        ready = None
    sender.send((reached, ready))


def starts(context, gib, count):
    # Not a global: it is the parent's own, and no worker needs it.
    kept = b"\1" * int(gib * 2**30)
    times = []
    for _ in range(count):
        receiver, sender = context.Pipe(duplex=False)
        worker = context.Process(target=target, args=(sender,))
        began = time.monotonic()
        worker.start()
        returned = time.monotonic()
        sender.close()
        reached, ready = receiver.recv()
        worker.join()
        times.append([returned - began, reached - began, ready and ready - began])
    del kept
    return times


class Numbers:
    def __len__(self):
        return 64

    def __getitem__(self, index):
        return torch.full((16,), float(index))


def epochs(workers, count):
    times = []
    for _ in range(count):
        loader = torch.utils.data.DataLoader(
            Numbers(), batch_size=4, num_workers=workers, multiprocessing_context=METHOD
        )
        began = time.monotonic()
        total = sum(batch.sum().item() for batch in loader)
        times.append([time.monotonic() - began])
        assert total == 16 * sum(range(64))
    return times


if __name__ == "__main__":
    initialise()
    if WHAT == "epochs":
        print(json.dumps(epochs(int(sys.argv[3]), int(sys.argv[4]))))
    else:
        print(json.dumps(starts(multiprocessing.get_context(METHOD), float(sys.argv[3]), int(sys.argv[4]))))
