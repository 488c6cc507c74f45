"""Proves how PyTorch is told that CUDA is absent, with a stand-in for its package: the real one has no place in CI
(scripts/check-torch runs it).

Functions that the program took out of torch.cuda before the fork answer like those that it finds there later. Asking is
silent. The first explicit use is said, with the program's line, and no later one, in whatever thread. What needs a GPU
raises PyTorch's own words and the parent's pid, and so does every explicit use of a PyTorch whose kernels cannot be
replaced. One that cannot be told, for a version may lack anything, costs one notice and nothing else.
"""
import ctypes
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_stand_in"))

import torch  # noqa: E402 (the stand-in)
from torch.cuda import _lazy_init, device_count, get_device_properties, is_available, is_initialized  # noqa: E402


def forked(work):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        work()
        sys.stdout.flush()
        os._exit(0)
    print("ended", os.waitpid(pid, 0)[1])


def ask():
    print(is_available(), device_count(), is_initialized(), torch.cuda.is_available(), torch.Tensor().is_pinned())


def use():
    print("pinned", torch.Tensor().pin_memory())  # USE
    print("used again", torch.cuda._lazy_init())
    forked(ask)


def use_in_a_thread():
    thread = threading.Thread(target=_lazy_init)
    thread.start()
    thread.join()


def need_a_gpu(ask=get_device_properties):
    try:
        ask()
    except RuntimeError as error:
        words, _, why = str(error).partition(" (")
        print(words, "(pid %d)" % os.getppid() in why)


def ask_only():
    print(is_available())


assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
print(is_available(), device_count(), is_initialized())
if sys.argv[1] == "untellable":
    torch.Tensor = None
    forked(ask_only)
elif sys.argv[1] == "old":
    del torch.library
    forked(lambda: [need_a_gpu(ask) for ask in (_lazy_init, torch.Tensor().pin_memory)])
else:
    for work in (ask, use, use_in_a_thread, need_a_gpu):
        forked(work)
print(is_available(), device_count(), is_initialized())
