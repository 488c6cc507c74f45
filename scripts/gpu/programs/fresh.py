"""What a worker can tell of itself, by what the kernel shows: is it a fresh process, or a fork?

A fork has its parent's command line; a fresh process was executed with another, or is a copy of the
warm template, which was. And it has no GPU open or mapped before its own first use of CUDA.
"""

import os
import sys

from outcome import say


def tell(cuda_is_open=False):
    """One line about this process, at its start. `cuda_is_open`: its arguments were CUDA tensors,
    so that making them has initialised CUDA already."""
    wrong, command = [], _command("self")
    if command == _command(os.getppid()):
        wrong.append("a fork of its parent")
    if not cuda_is_open:
        wrong += [f"has {path} already" for path in sorted(gpu_files())[:1]]
        wrong += _torch_state()
    fresh = "fresh, of the template" if b"warm.serve" in command else "fresh, executed"
    say(f"worker: {', '.join(wrong) or fresh}")


def gpu_files():
    """The GPU's device files that this process has open or mapped."""
    with open("/proc/self/maps") as maps:
        found = {line.split()[-1] for line in maps if "/dev/nvidia" in line}
    for fd in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:  # the listing's own
            continue
        if path.startswith("/dev/nvidia"):
            found.add(path)
    return found


def _command(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as command:
        return command.read()


def _torch_state():
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    wrong = ["torch.cuda is initialised already"] if torch.cuda.is_initialized() else []
    if torch.cuda._is_in_bad_fork():
        wrong.append("torch calls it a bad fork")
    return wrong
