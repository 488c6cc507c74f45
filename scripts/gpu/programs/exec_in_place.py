"""A server as many are: it asks whether CUDA is there, then forks a worker with os.fork, which uses the GPU.

No fresh process can go on in the middle of it. With FORKGUARD_EXEC=restart the program begins again in
the worker's place, at the worker's first use of CUDA, and knows from FORKGUARD_RESTARTED that it is
the worker; with a command, that one does the worker's part.
"""

import os

import torch
from outcome import attempt, await_pid, say


def work():
    # With the job's number from the descriptor that the parent gave it.
    number = float(os.read(JOB, 8))
    say(f"child: {attempt(lambda: (torch.ones(4, device='cuda') * number).sum().item())}")


JOB = int(os.environ.setdefault("JOB_FD", "99"))

if "FORKGUARD_RESTARTED" in os.environ or "FORKGUARD_PARENT_PID" in os.environ:
    work()
else:
    say(f"parent asks: {torch.cuda.is_available()}")
    receiver, sender = os.pipe()
    os.dup2(receiver, JOB)
    os.write(sender, b"2")
    child = os.fork()
    if child == 0:
        # Whatever the worker does first on the GPU; the job is not taken yet.
        say(f"child: {attempt(lambda: torch.zeros(1, device='cuda'))}")
        os._exit(0)
    await_pid(child)
    say(f"parent goes on: {torch.ones(4, device='cuda').sum().item()}")
