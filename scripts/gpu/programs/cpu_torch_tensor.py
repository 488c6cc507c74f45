"""torch where CUDA is absent in forked children: what lives on the parent's GPU is touched in every way, each time in a
child of its own, of a parent that has trained on the GPU.

Expected under `cpu`: an error that names the parent process from everything that needs the memory, no signal, no child
that hangs, and a parent that goes on. What does not need it goes on in the child. Bare, the same errors say
"initialization error".
"""

import copy
import os
import pickle
import signal
import sys

import torch
from outcome import await_pid, say

tensor = torch.ones(4, device="cuda")
model = torch.nn.Linear(4, 4).cuda()
model(tensor).sum().backward()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
generator = torch.Generator(device="cuda")
pinned = torch.ones(1000).pin_memory()
# Leaves free blocks in the caching allocators, which a child is given without a call of the driver.
freed = (torch.ones(4, device="cuda") * 2, torch.ones(3000).pin_memory())
del freed


def assign():
    global tensor
    tensor = None
    model.weight.data = torch.ones(4, 4)
    return model.weight.device


NEEDS_THE_MEMORY = {
    "repr": lambda: repr(tensor),
    "cpu": lambda: tensor.cpu(),
    "item": lambda: tensor[0].item(),
    "add": lambda: tensor + 1,
    "in place": lambda: tensor.add_(1),
    "matmul": lambda: model(tensor),
    "clone": lambda: tensor.clone(),
    "equal": lambda: torch.equal(tensor, tensor),
    "cat": lambda: torch.cat([tensor, tensor]),
    "backward": lambda: model(tensor).sum().backward(),
    "step": lambda: optimizer.step(),
    "model.cpu": lambda: model.cpu(),
    "deepcopy": lambda: copy.deepcopy(model),
    "pickle": lambda: pickle.dumps(tensor),
    "save": lambda: torch.save(tensor, os.devnull),
    "share": lambda: tensor.share_memory_(),
    "seed": lambda: generator.manual_seed(1),
    "after use": lambda: torch.zeros(4, device="cuda").to(tensor.device) + tensor.cpu(),
}
GOES_ON = {
    "shape": lambda: (tuple(tensor.shape), tensor.device.type, tensor.is_cuda),
    "assign": assign,
    "pinned": lambda: (pinned.sum().item(), pinned.is_pinned()),
    "pin": lambda: torch.ones(3000).pin_memory().sum().item(),
    "like": lambda: torch.zeros_like(tensor.detach(), device="cpu").device,
}


def in_child(name, work, leave):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try:
            say(f"{name}: {work()}")
        except RuntimeError as error:
            named = "the parent process (pid %d)" % os.getppid() in str(error)
            say(f"{name}: {type(error).__name__}{', names the parent' if named else ''}")
        leave(0)
    await_pid(pid)


def main():
    for name, work in {**NEEDS_THE_MEMORY, **GOES_ON}.items():
        in_child(name, work, os._exit)
    # With all of it alive.
    in_child("leaves as Python does", lambda: True, sys.exit)
    say(f"parent goes on: {(tensor + 1).sum().item()}")


main()
