"""torch on two GPUs: the parent only asks through the runtime, which keeps a context of each; the forked child computes
on both, the second first. Today torch refuses in the child.
"""

import os

import torch
from outcome import attempt, await_pid, say


def work():
    second, first = torch.ones(4, device="cuda:1"), torch.ones(4).cuda(0)
    return f"{(second.to('cuda:0') + first).sum().item()} on {first.device} and {second.device}"


def main():
    say(f"parent asks: {torch.cuda.is_available()}")
    pid = os.fork()
    if pid == 0:
        say(f"child: {attempt(work)}")
        os._exit(0)
    await_pid(pid)
    say(f"parent goes on: {work()}")


main()
