"""The cases of policy `exec`: programs that fail or hang without the guard, and work with it.

First programs that tell of their workers what the kernel shows, then those of the violation cases,
as they are. `rewritten` counts the forks after CUDA: each must become a fresh process. Where PyTorch is only
asked, it is asked through the runtime (RUNTIME): as `exec` sets it up, asking would initialise nothing.
"""

import shlex
import sys

from check.cases import (CUPY, ENDED_WELL, JAX, NUMBA, PYAV, REFUSED, RUNTIME, TORCH, TRAINED_BY_ACCELERATE, TWO_GPUS,
                         served)
from check.machine import PROGRAMS

FORK = "^worker: a fork of its parent"
LOSS = r"^task: (\d\.\d{3}), on the CPU \1$"
TASKS = tuple(f"^task: {28 * number}$" for number in range(4))

FRESH_WORKERS = [
    *[served(f"exec: torch {parent}, {workers}", "exec_torch_workers.py", (parent, workers),
             needs=TORCH, bare=(FORK, REFUSED, "^completed$"), works=(LOSS, "^completed$"),
             env=RUNTIME, rewritten=2, telling=True, copies=True)
      for parent in ("asked", "model") for workers in ("pool", "executor")],
    *[served(f"exec: torch {parent}, DataLoader with .cuda()", "exec_torch_workers.py",
             (parent, "dataloader"), needs=TORCH, env=RUNTIME, bare=(FORK, "completed"),
             works=(r"(?s)(batch: 4\.0 on cuda.*){2}", "^completed$"), rewritten=4, telling=True, copies=True)
      for parent in ("asked", "model")],
    *[served(f"exec: torch, CUDA tensor as {how}", "exec_torch_tensor.py", (how,), needs=TORCH,
             bare=(FORK, "initialization error"),
             works=(r"^sum 10\.0, of the part 5\.0$", r"^sum 14\.0, of the part 7\.0$",
                    r"^parent sees \[2\.0, 3\.0, 4\.0, 5\.0\]$", *more),
             rewritten=2, telling=True, copies=True)
      for how, more in (("argument", ()), ("global", (r"^by its name 14\.0, same memory True$",)))],
    served("exec: torch DataLoader on the CPU, model a global", "exec_torch_dataloader_cpu.py",
           needs=TORCH, bare=(FORK, "^completed$"),
           works=(r"(?s)(without CUDA: True.*){4}", "^completed$"), rewritten=2, initialise="none",
           telling=True, copies=True),
    *[served(f"exec: {library} Pool", "exec_pool.py", (library,), needs=needs,
             bare=(FORK, error), works=(*TASKS, "^parent again: 56$"), rewritten=2, telling=True,
             copies=True, timeout=150)
      for library, needs, error in (("cupy", CUPY, "cudaErrorInitializationError"),
                                    ("numba", NUMBA, "initialized before forking"),
                                    ("jax", JAX, "^the workers hang$"))],
    served("exec: pyav Pool decodes with h264_cuvid", "exec_pyav.py", needs=PYAV,
           bare=(FORK, "cuInit answers 3, decoded: .*Generic error"),
           works=("^task: cuInit answers 0, decoded: True$", "^parent decoded on to the end: True$"),
           rewritten=2, telling=True, copies=True),
]

# The programs of the violation cases, unchanged.
AS_THEY_ARE = [
    served("exec: torch asked, Pool, as it is", "torch_ask_pool.py", needs=TORCH, env=RUNTIME,
           bare=(REFUSED,), works=(r"^task: 4\.0$", r"^task: 7\.0$", ENDED_WELL), rewritten=2,
           initialise="some"),
    served("exec: torch ProcessPoolExecutor, as it is", "torch_executor.py", needs=TORCH,
           bare=(REFUSED,), works=(r"^task: 4\.0$", r"^task: 7\.0$", ENDED_WELL, "^completed$"),
           rewritten=2, initialise="some"),
    served("exec: torch DataLoader, .cuda(), as it is", "torch_dataloader.py", ("cuda",), needs=TORCH,
           bare=("RuntimeError from a worker",), works=(r"^batch: 4\.0 \(2, 4\)$", ENDED_WELL),
           rewritten=1),
    served("exec: torch inherited tensor, as it is", "torch_inherited_tensor.py", needs=TORCH,
           bare=("initialization error",), works=(r"^8\.0$", ENDED_WELL), rewritten=1),
    served("exec: cupy 2 processes x 3 threads, as it is", "cupy_threads.py", ("poisoned",),
           needs=CUPY, bare=("cudaErrorInitializationError",),
           works=(r"^thread 2: 56$", ENDED_WELL), rewritten=2),
    *[served(f"exec: torch asked, {what}", "torch_two_workers.py", (how,), needs=(*TORCH, "two_gpus"), env=RUNTIME,
             bare=(REFUSED,), works=works, rewritten=2, initialise="some")
      for how, what, works in TWO_GPUS],
    served("exec: numba, as it is", "numba_fork.py", needs=NUMBA,
           bare=("initialized before forking",), works=("^6$", ENDED_WELL), rewritten=1),
    served("exec: jax, as it is", "jax_fork.py", ("operate",), needs=JAX, bare=("^child hung$",),
           works=(r"^child: 8\.0$", ENDED_WELL), rewritten=1),
    *[served(f"exec: pyav {how}, as it is", "pyav_decode.py", (how,), needs=PYAV, bare=(bare,),
             works=(works, "^parent decoded on to the end: True$", ENDED_WELL), rewritten=1)
      for how, bare, works in (("cuinit", "cuInit answers 3", "^cuInit answers 0$"),
                               ("cuvid", "Generic error", "^child decoder: None$"))],
    served("exec: torch.compile, workers by fork", "torch_compile.py", needs=("inductor",),
           bare=("^compiled: ",), works=("^compiled: ", "^compiled again: "), initialise="",
           timeout=150, env={"TORCHINDUCTOR_WORKER_START": "fork", "TORCHINDUCTOR_COMPILE_THREADS": "4"}),
]

IN_PLACE = shlex.join([sys.executable, str(PROGRAMS / "exec_in_place.py")])

# Forks that multiprocessing does not make: a C program's, by the header, and a server's.
OTHER_FORKS = [
    served("exec: C program, workers by forkguard.h", "exec_entry.c", needs=("entry_c",), binary="entry_c",
           bare=("parent: answers 0, sum 6", "^task: answers 3, sum -1$"),
           works=("^task: answers 0, sum 46$", "^task: answers 0, sum 86$", "^parent again: answers 0, sum 6$"),
           rewritten=2, policies=("exec",)),
    *[served(f"exec: os.fork, FORKGUARD_EXEC={what}", "exec_in_place.py", needs=TORCH, env=RUNTIME,
             bare=(f"^child: RuntimeError: {REFUSED}", r"^parent goes on: 4\.0$"),
             works=(r"^child: 8\.0$", ENDED_WELL, r"^parent goes on: 4\.0$"), rewritten=1,
             guard={"FORKGUARD_EXEC": how}, policies=("exec",))
      for what, how in (("restart", "restart"), ("a command", IN_PLACE))],
]

USERS = [
    served("exec: user: Applio preprocessing (shape)", "user_applio_shape.py", needs=TORCH, env=RUNTIME,
           bare=(REFUSED,), works=(r"^device: cuda:0$", r"^file: \d+$", ENDED_WELL), rewritten=2,
           initialise="some"),
    served("exec: user: PaddleOCR workers (shape)", "user_paddleocr_shape.py", needs=TORCH,
           bare=(r"^page: \w+Error: ",), works=(r"^page: \(1, 8, 30, 30\)$", ENDED_WELL),
           rewritten=2),
    served("exec: user: accelerate's notebook_launcher, two GPUs", "user_accelerate.py", env=RUNTIME,
           needs=("torch", "accelerate", "two_gpus"), bare=(REFUSED,),
           works=(*TRAINED_BY_ACCELERATE, r"^parent goes on: 4\.0$"), rewritten=2, initialise="some"),
    served("exec: user: LitServe, asked (shape)", "user_litserve_shape.py", ("asked",), needs=TORCH,
           env=RUNTIME, bare=(REFUSED,), works=(r"^8\.0$", ENDED_WELL), rewritten=1),
    served("exec: user: LitServe itself, asked", "user_litserve.py", ("asked",), env=RUNTIME,
           needs=("torch", "litserve"), bare=("^answer: ", "^server ended$"),
           works=(r"^answer: .*\[2\.0, 4\.0, 6\.0, 8\.0\], 'device': 'cuda'", "^server ended$"),
           initialise=""),
    served("exec: user: LitServe itself, an array on the GPU is the answer", "user_litserve.py", ("array",),
           env=RUNTIME, needs=("torch", "cupy", "litserve"), bare=("^server ended$",),
           works=(r"^answer: .*\[2\.0, 4\.0, 6\.0, 8\.0\], 'device': 'cuda'", "^server ended$"),
           initialise=""),
]

SERVED_CASES = [*FRESH_WORKERS, *AS_THEY_ARE, *OTHER_FORKS, *USERS]
