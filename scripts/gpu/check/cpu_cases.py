"""The cases of policy `cpu`: forked children in which CUDA is absent.

At the driver first, then the frameworks, which answer from what their parent saw unless they are told.
"""

from dataclasses import replace

from check.cases import BINDINGS, CUPY, ENDED_WELL, JAX, NUMBA, PYAV, REFUSED, RUNTIME, TORCH, Told, carried

CPU = ("cpu",)
ABSENT = "cuInit 100, cuDeviceGetCount 100, cuDriverGetVersion 0"

BY_DRIVER = [
    carried("cpu: the driver and NVML, by ctypes", "cpu_driver.py", CPU, needs=("driver", "nvml"),
            bare=("^child: cuInit 3, cuDeviceGetCount 3", "^child: nvmlInit 0, nvmlDeviceGetCount 0, True$",
                  "^program: 0 None$"),
            works=("^child: CUDA_VISIBLE_DEVICES '', b''$", f"^child: {ABSENT}$", f"^child's thread: {ABSENT}$",
                   "^child: nvmlInit 0, nvmlDeviceGetCount 0, True$", f"^child's child: {ABSENT}$", "^program: 100 ''$",
                   "^parent again: cuInit 0, cuDeviceGetCount 0, cuDriverGetVersion 0$",
                   "^parent: CUDA_VISIBLE_DEVICES None$", r"(?s)(^child exit: 0$.*){2}"),
            told=Told(cpu=2)),
    carried("cpu: cuda-bindings, as it is", "bindings_fork.py", CPU, needs=BINDINGS,
            bare=("child: CUDA_ERROR_NOT_INITIALIZED",), works=("^child: CUDA_ERROR_NO_DEVICE$", ENDED_WELL),
            told=Told(cpu=1)),
    carried("cpu: linked with -lcuda, as it is", "linked.c", CPU, needs=("linked_c",), binary="linked_c",
            bare=("cuDeviceGetCount answers 3",), works=("cuDeviceGetCount answers 100", ENDED_WELL),
            told=Told(cpu=1)),
    *[carried(f"cpu: {kind} cudart, as it is", "runtime.cu", CPU, needs=(need,), binary=need,
              bare=("cudaMalloc answers 3",), works=("^child: cudaMalloc answers 100$", ENDED_WELL), told=Told(cpu=1))
      for kind, need in (("static", "runtime_static"), ("shared", "runtime_shared"))],
]

# Imported in the child only: they see from the start that there is no CUDA, and need no notice.
LATE = [
    carried(f"cpu: {framework} imported in the child only", "cpu_late_import.py", CPU, (framework,), needs=needs,
            bare=("^parent: 0$", "^child: "), works=(works, ENDED_WELL), told=Told(cpu=range(2), others=others))
    for framework, needs, works, others in (
        ("torch", TORCH, r"^child: \(False, 0, False\)$", ""),
        ("cupy", CUPY, "^child: False$", ""),
        ("numba", NUMBA, "^child: False$", ""),
        # JAX itself says that it falls back.
        ("jax", JAX, r"^child: \('cpu', 6\.0\)$", "(?i)jax|xla|cuda"),
    )
]

# One notice in each process that asks for "cuda"; a worker that is ready first may do all the tasks.
ASKED = Told(notices=1, notice="torch was asked for .* the CPU takes its place")
ASKED_BY_SOME = replace(ASKED, notices=range(1, 3))
NONE_ENDED_ILL = r"\A(?![\s\S]*^child (?:hung|exit: (?!0$)))"
# What was the parent's on the GPU cannot be had here, and the error says whose it is.
OF_THE_PARENT = r"^\w+Error: .*the parent process \(pid \d+\)"

# The programs of the violation cases, unchanged.
AS_THEY_ARE = [
    carried("cpu: torch asked, os.fork, as it is", "torch_ask_fork.py", CPU, ("is_available",), needs=TORCH,
            env=RUNTIME, bare=("child asks: True", REFUSED), works=("^child asks: False$", r"^4\.0$", ENDED_WELL),
            told=ASKED),
    carried("cpu: torch asked, Pool, as it is", "torch_ask_pool.py", CPU, needs=TORCH, env=RUNTIME, bare=(REFUSED,),
            works=(r"^task: 4\.0$", r"^task: 7\.0$", ENDED_WELL), told=ASKED_BY_SOME),
    carried("cpu: torch ProcessPoolExecutor, as it is", "torch_executor.py", CPU, needs=TORCH, bare=(REFUSED,),
            works=(r"^task: 4\.0$", r"^task: 7\.0$", ENDED_WELL, "^completed$"), told=ASKED_BY_SOME),
    carried("cpu: torch DataLoader, .cuda(), as it is", "torch_dataloader.py", CPU, ("cuda",), needs=TORCH,
            bare=("RuntimeError from a worker",), works=(r"^batch: 4\.0 \(2, 4\)$", ENDED_WELL), told=ASKED),
    carried("cpu: torch DataLoader on the CPU, as it is", "torch_dataloader.py", CPU, ("cpu",), needs=TORCH,
            bare=("^batch: ",), works=(r"^batch: 4\.0 \(2, 4\)$", ENDED_WELL)),
    carried("cpu: torch inherited tensor, as it is", "torch_inherited_tensor.py", CPU, needs=TORCH,
            bare=("initialization error",), works=(OF_THE_PARENT, ENDED_WELL, r"^parent goes on: 8\.0$"),
            told=Told(cpu=1)),
    carried("cpu: cupy asked, as it is", "cupy_ask.py", CPU, needs=CUPY, bare=("cudaErrorInitializationError",),
            works=("^CUDARuntimeError: .*no CPU mode", ENDED_WELL), told=Told(cpu=1)),
    carried("cpu: cupy 2 processes x 3 threads, as it is", "cupy_threads.py", CPU, ("poisoned",), needs=CUPY,
            bare=("cudaErrorInitializationError",),
            works=(r"(?s)(^thread \d: CUDARuntimeError: [^\n]*no CPU mode.*){6}", ENDED_WELL), told=Told(cpu=2)),
    # numba is told at the fork and asks no driver.
    carried("cpu: numba, as it is", "numba_fork.py", CPU, needs=NUMBA, bare=("initialized before forking",),
            works=("^CudaSupportError: ", ENDED_WELL), told=Told(cpu=range(2))),
    carried("cpu: jax, as it is", "jax_fork.py", CPU, ("operate",), needs=JAX, bare=("^child hung$",),
            works=(r"^child: 8\.0$", ENDED_WELL),
            told=Told(cpu=range(2), notices=1, notice="JAX computes on the CPU here")),
    *[carried(f"cpu: pyav {how}, as it is", "pyav_decode.py", CPU, (how,), needs=PYAV, bare=(bare,),
              works=(works, "^parent decoded on to the end: True$", ENDED_WELL), told=Told(cpu=1))
      for how, bare, works in (("cuinit", "cuInit answers 3", "^cuInit answers 100$"),
                               ("cuvid", "Generic error", r"^child decoder: \w*Error"))],
]

NAMED = r"^%s: \w+Error, names the parent$"
NEEDS_THE_MEMORY = ("repr", "cpu", "item", "add", "in place", "matmul", "clone", "equal", "cat", "backward", "step",
                    "model.cpu", "deepcopy", "pickle", "save", "share", "seed", "after use")
TORCH_IN_DEPTH = [
    *[carried(f"cpu: torch, all that may be asked for; the parent has {how}", "cpu_torch.py", CPU, (how,), needs=TORCH,
              env=RUNTIME, bare=("^exit: 0 ", "^differs: "), works=("^exit: 0 0, True$", "^the same as on the CPU$"),
              told=replace(ASKED, notices=range(15, 21), cpu=range(20)), timeout=120)
      for how in ("asked", "used", "trained")],
    carried("cpu: torch, the parent's tensors in every way", "cpu_torch_tensor.py", CPU, needs=TORCH,
            bare=("^cpu: AcceleratorError$",),
            works=(*(NAMED % name for name in NEEDS_THE_MEMORY), r"^shape: \(\(4,\), 'cuda', True\)$", "^assign: cpu$",
                   r"^pinned: \(1000\.0, False\)$", r"^pin: 3000\.0$", "^like: cpu$", "^leaves as Python does: True$",
                   ENDED_WELL, NONE_ENDED_ILL, r"^parent goes on: 8\.0$"),
            told=replace(ASKED, notices=range(1, 4), cpu=range(25))),
    carried("cpu: torch, a tensor sent by a queue", "cpu_torch_sent.py", CPU, needs=TORCH, bare=(REFUSED,),
            works=("^RuntimeError: This tensor lives in GPU memory of the process that sent it", ENDED_WELL,
                   r"^parent goes on: 8\.0$"), told=Told(cpu=range(2))),
]

# Each framework's ways to ask, in one child; what is expected is in the programs' headers.
IN_DEPTH = [
    carried("cpu: cupy in depth", "cpu_cupy.py", CPU, needs=CUPY, bare=("cudaErrorInitializationError",),
            works=("^available: False$", *(rf"^{what}: CUDARuntimeError: .*no CPU mode" for what in (
                "array made here", "parent's array, sum", "parent's array, to host", "parent's array, printed",
                "thread")), r"^parent's array, shape: \(5,\)$", ENDED_WELL, "^parent again: 10$"),
            told=Told(cpu=1)),
    carried("cpu: numba in depth", "cpu_numba.py", CPU, needs=NUMBA, bare=("initialized before forking",),
            works=("^available: False$", *(rf"^{what}: CudaSupportError: .*is absent in this forked process"
                                           for what in ("array made here", "parent's array", "detect", "devices",
                                                        "synchronize")),
                   ENDED_WELL, r"^parent again: \[0, 1, 2, 3\]$"),
            told=Told(cpu=range(2))),
    carried("cpu: jax in depth", "cpu_jax.py", CPU, needs=JAX, bare=("^child hung$",), timeout=120,
            works=(r"^devices: \['cpu'\] cpu$", r"^made here: 8\.0$", r"^compiled in the parent: 8\.0$",
                   r"^gradient: \[0\.0, 2\.0, 4\.0\]$", "^random: True$", r"^cpu array: \[1\.0, 2\.0, 3\.0\]$",
                   *(rf"^gpu array, {how}: \w+RuntimeError: .*parent process \(pid \d+\)" for how in (
                       "operator", "compiled", "committed", "to host", "printed", "put", "unfinished")),
                   r"^gpu array, closed over: [\d.\[\], ]+$", r"^gpu array, waited for: \(3,\)$",
                   r"^gpu array, shape: \(3,\)$", "^gpu: RuntimeError: ", "^idle ends$",
                   r"(?s)(^child exit: 0$.*){2}", r"^parent again: 8\.0$"),
            told=Told(cpu=range(3), notices=1, notice="JAX computes on the CPU here")),
]

USERS = [
    carried("cpu: user: Applio preprocessing (shape)", "user_applio_shape.py", CPU, needs=TORCH, env=RUNTIME,
            bare=(REFUSED,), works=(r"^device: cuda:0$", r"^file: \d+$", ENDED_WELL), told=ASKED_BY_SOME),
    # What the spawned worker sends lives on its GPU.
    carried("cpu: user: LitServe, asked (shape)", "user_litserve_shape.py", CPU, ("asked",), needs=TORCH, env=RUNTIME,
            bare=(REFUSED,), works=("^RuntimeError: This tensor lives in GPU memory of the process that sent it",
                                    ENDED_WELL)),
    carried("cpu: user: LitServe itself, asked", "user_litserve.py", CPU, ("asked",), needs=("torch", "litserve"),
            env=RUNTIME, bare=("^answer: ", "^server ended$"),
            works=(r"^answer: .*\[2\.0, 4\.0, 6\.0, 8\.0\], 'device': 'cuda'", "^server ended$")),
]

CPU_CASES = [*BY_DRIVER, *LATE, *AS_THEY_ARE, *TORCH_IN_DEPTH, *IN_DEPTH, *USERS]
