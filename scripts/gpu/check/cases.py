"""Every case, in one table: what is run, what it needs, and what must be seen.

A `violation` must be reported under `abort` and `warn` with the right file:line in all three
places; a `silent` case must be indistinguishable from the bare run under every policy; a `served`
case must work, because each of its workers has become a fresh process; a `carried` case goes on in its
forked children, with CUDA of their own or without any. `bare` holds what the program prints without the
guard: a case whose program does not fail (or work) as described proves nothing, so this is checked too.
The served cases are in `served_cases`, the carried ones in `revive_cases` and `cpu_cases`, and real servers, of
which there is a case of each kind, in `server_cases`.
"""

from dataclasses import dataclass, field

POLICIES = ("abort", "warn", "off")
# Ways to run a program beyond the policies of the same name: what each puts into the environment.
WAYS = {
    "exec": {"FORKGUARD_POLICY": "exec,abort", "FORKGUARD_TEMPLATE": "0"},
    "exec, template": {"FORKGUARD_POLICY": "exec,abort", "FORKGUARD_TEMPLATE": "1"},
    "revive,exec": {"FORKGUARD_POLICY": "revive,exec", "FORKGUARD_TEMPLATE": "0"},
    "revive, handles unused": {"FORKGUARD_POLICY": "revive", "FORKGUARD_REVIVE": "foreign-handles-unused"},
}
FRESH_WAYS = ("exec", "exec, template")


@dataclass(frozen=True)
class Told:
    """What the guard must tell in a carried case: how many events of each kind (a number, or a range), and
    what on stderr. Whatever is not named here must not be there; `initialised` alone is free."""

    revived: int | range = 0
    # Processes in which the driver was asked and CUDA is absent.
    cpu: int | range = 0
    rewritten: int | range = 0
    violations: int | range = 0
    refused: int | range = 0
    # A pattern for the reason of every refusal.
    reason: str = ""
    # Lines of the guard's on stderr, and a pattern for each; of a violation's report, a pattern for all of it.
    notices: int | range = 0
    notice: str = ""
    # Lines on stderr beyond the bare run's that are not the guard's: a pattern for those that may be.
    others: str = ""
    # Children are killed at any moment, so that an event may have been cut in the middle of its line.
    cut: bool = False
    # What the guard may add to a first call (the median of all revivals), in milliseconds.
    took_ms: float | None = None


@dataclass(frozen=True)
class Case:
    """One row of the matrix; see the module's header."""

    name: str
    expect: str
    program: str = ""
    args: tuple = ()
    needs: tuple = ()
    bare: tuple = ()
    # A name in Machine.binaries, for native programs; `program` is then their source.
    binary: str = ""
    env: dict = field(default_factory=dict)
    # Variables of the guard beyond policy and report.
    guard: dict = field(default_factory=dict)
    policies: tuple = POLICIES
    code: int = 0
    # Patterns for the JSON event; the empty pattern asserts nothing.
    function: str = ""
    library: str = ""
    advice: str = ""
    # A pattern for the text of the report.
    text: str = ""
    # The bare child hangs for ever: the report is due within two seconds of the operation.
    hangs: bool = False
    # Where a place's mark is, when it is not in the program itself.
    elsewhere: dict = field(default_factory=dict)
    # More than one where today's ending is a matter of luck: any of them is an equal then.
    bare_runs: int = 1
    timeout: int = 90
    # Of a served case: what it prints when it works, how many forks become fresh processes (None:
    # any number), and which of those initialise CUDA: "each", "some" (a worker that is ready first may do
    # all the tasks), "none", or "" where that says nothing.
    works: tuple = ()
    rewritten: int | None = None
    initialise: str = "each"
    # The workers say themselves, in a line each, that they are fresh (programs/fresh.py).
    telling: bool = False
    # Its imports leave no thread behind, so that with a template all workers are copies of it.
    copies: bool = False
    # Of a carried case.
    told: Told = Told()
    # It measures the GPU's memory or its own time: it runs when nothing else does.
    alone: bool = False

    @property
    def group(self):
        """What `--only` may be given for a whole group; each of `cpu` and `revive` has a table of its own."""
        return {"served": "exec", "carried": self.name.partition(":")[0]}.get(self.expect, "guard")


def violation(name, program, args=(), **more):
    return Case(name, "violation", program, args, **more)


def silent(name, program, args=(), **more):
    return Case(name, "silent", program, args, **more)


def served(name, program, args=(), needs=(), **more):
    needs = (*needs, "cloudpickle")
    return Case(name, "served", program, args, **{"policies": FRESH_WAYS, "needs": needs, **more})


def carried(name, program, policies, args=(), **more):
    return Case(name, "carried", program, args, policies=policies, **more)


TORCH, CUPY, NUMBA, JAX = ("torch",), ("cupy",), ("numba",), ("jax",)
BINDINGS, PYAV = ("bindings",), ("pyav", "sample")
REFUSED = "Cannot re-initialize CUDA in forked subprocess"
NVML = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
# The user's own setting, which the policies that would set it to 1 leave alone: asking initialises CUDA.
RUNTIME = {"PYTORCH_NVML_BASED_CUDA_CHECK": "0"}
HIDDEN = {"CUDA_VISIBLE_DEVICES": "-1"}
DRIVER_CALL = r"^cu[A-Z]"
ENDED_WELL = r"^child exit: \[?0\]?$"
# torch_two_workers.py: its argument, its name, what it prints where it works.
TWO_GPUS = [
    ("train", "two GPUs train together",
     (r"^worker 0: gradient 8\.0, on cuda:0$", r"^worker 1: gradient 8\.0, on cuda:1$", r"^parent goes on: 4\.0$")),
    ("pick", "two GPUs, a worker on each",
     (r"^worker 0: 4\.0 on GPU of number 0$", r"^worker 1: 4\.0 on GPU of number 1$", r"^parent goes on: 4\.0$")),
]
# user_accelerate.py, where it works.
TRAINED_BY_ACCELERATE = tuple(f"^trained: gradient 8\\.0, one of 2 on cuda:{gpu}$" for gpu in range(2))

WHAT_USERS_SEE = [
    violation("torch: asked, Pool", "torch_ask_pool.py", needs=TORCH, bare=(REFUSED, ENDED_WELL),
              advice="PYTORCH_NVML_BASED_CUDA_CHECK=1"),
    violation("torch: asked, os.fork", "torch_ask_fork.py", ("is_available",), needs=TORCH,
              bare=("child asks: True", REFUSED), advice="PYTORCH_NVML_BASED_CUDA_CHECK=1"),
    violation("torch: asked, exit code 37", "torch_ask_fork.py", ("is_available",), needs=TORCH,
              bare=(REFUSED,), guard={"FORKGUARD_EXIT_CODE": "37"}, policies=("abort",)),
    silent("torch: asked through NVML", "torch_ask_fork.py", ("is_available",), needs=TORCH,
           bare=(r"^4\.0$", ENDED_WELL), env=NVML),
    silent("torch: device_count only", "torch_ask_fork.py", ("device_count",), needs=TORCH,
           bare=(r"^4\.0$", ENDED_WELL)),
    violation("torch: inherited tensor", "torch_inherited_tensor.py", needs=TORCH,
              bare=("AcceleratorError: CUDA error: initialization error", r"^parent goes on: 8\.0$"),
              function=r"^cuCtxGetDevice$", library="libcudart"),
    silent("torch: DataLoader on the CPU", "torch_dataloader.py", ("cpu",), needs=TORCH,
           bare=(r"^batch: ", ENDED_WELL)),
    violation("torch: DataLoader, .cuda()", "torch_dataloader.py", ("cuda",), needs=TORCH,
              bare=("RuntimeError from a worker", ENDED_WELL), advice="multiprocessing_context"),
    violation("torch: ProcessPoolExecutor", "torch_executor.py", needs=TORCH,
              bare=(REFUSED, "^completed$")),
    violation("cupy: asked", "cupy_ask.py", needs=CUPY, bare=("cudaErrorInitializationError",),
              function=DRIVER_CALL),
    silent("cupy: 2 processes x 3 threads, clean", "cupy_threads.py", ("clean",), needs=CUPY,
           bare=(r"^thread 2: 56$", ENDED_WELL)),
    violation("cupy: 2 processes x 3 threads, asked", "cupy_threads.py", ("poisoned",), needs=CUPY,
              bare=("cudaErrorInitializationError",), function=DRIVER_CALL),
    violation("numba", "numba_fork.py", needs=NUMBA, bare=("initialized before forking",)),
    violation("jax: operation in the child", "jax_fork.py", ("operate",), needs=JAX,
              bare=("^operation starts$", "^child hung$"), function="^(PJRT_|cu[A-Z])", hangs=True),
    silent("jax: devices() and numpy in the child", "jax_fork.py", ("look",), needs=JAX,
           bare=(r"^child: \d device, 6$", ENDED_WELL)),
    violation("pyav: cuInit in the child", "pyav_decode.py", ("cuinit",), needs=PYAV,
              bare=("cuInit answers 3", "decoded on to the end: True"), function="^cuInit$"),
    violation("pyav: h264_cuvid in the child", "pyav_decode.py", ("cuvid",), needs=PYAV,
              bare=("Generic error in an external library", "decoded on to the end: True"),
              function=DRIVER_CALL, library="libav"),
]

ROADS = [
    violation("road: cuda-bindings", "bindings_fork.py", needs=BINDINGS,
              bare=("child: CUDA_ERROR_NOT_INITIALIZED",), function="^cuDeviceGetCount$",
              library="driver"),
    violation("road: linked with -lcuda", "linked.c", needs=("linked_c",), binary="linked_c",
              bare=("context answers 0", "cuDeviceGetCount answers 3"),
              function="^cuDeviceGetCount$", library="linked_c"),
    violation("road: static cudart", "runtime.cu", needs=("runtime_static",),
              binary="runtime_static", bare=("cudaFree answers 0", "cudaMalloc answers 3"),
              function=DRIVER_CALL, library="runtime_static"),
    violation("road: shared cudart", "runtime.cu", needs=("runtime_shared",),
              binary="runtime_shared", bare=("cudaFree answers 0", "cudaMalloc answers 3"),
              function=DRIVER_CALL, library="libcudart"),
]

RIGHT_PROGRAMS = [
    *[silent(f"child program by {how}", "child_program.py", (how,), needs=BINDINGS,
             bare=("child: .'CUDA_SUCCESS', 'CUDA_SUCCESS', 'CUDA_SUCCESS'", ENDED_WELL))
      for how in ("subprocess", "preexec", "posix_spawn")],
    *[silent(f"torch.compile, workers by {start}", "torch_compile.py", needs=("inductor",),
             bare=("^compiled: ",), timeout=150,
             env={"TORCHINDUCTOR_WORKER_START": start, "TORCHINDUCTOR_COMPILE_THREADS": "4"})
      for start in ("subprocess", "fork")],
    # Python's warning in the parent would land in the middle of what the child's destructors say.
    *[silent(f"child leaves by {way}, inherited {library}", "leave.py", (library, way), needs=need,
             env={"PYTHONWARNINGS": "ignore::DeprecationWarning"},
             bare_runs=3 if library == "jax" else 1)
      for library, need in (("torch", TORCH), ("cupy", CUPY), ("numba.cuda", NUMBA), ("jax", JAX))
      for way in ("sys.exit", "os._exit")],
    silent("fork before initialisation", "fork_first.py", needs=TORCH,
           bare=(r"^child: 4\.0$", ENDED_WELL)),
    silent("failing init: driver", "failing_init.py", ("driver",), needs=("driver",), env=HIDDEN,
           bare=("^parent: 100$", ENDED_WELL)),
    silent("failing init: torch", "failing_init.py", ("torch",), needs=TORCH, env=HIDDEN,
           bare=("^parent: False$", ENDED_WELL)),
]

USERS = [
    violation("user: PaddleOCR workers (shape)", "user_paddleocr_shape.py", needs=TORCH,
              bare=(r"^page: \w+Error: ",)),
    violation("user: Applio preprocessing (shape)", "user_applio_shape.py", needs=TORCH,
              bare=(REFUSED,), elsewhere={"initialised": "user_applio_config.py"},
              advice="user_applio_config", text="`import user_applio_config`"),
    *[silent(f"user: LitServe itself, {how}", "user_litserve.py", (how,), needs=("torch", "litserve"),
             bare=(r"^answer: .*\[2\.0, 4\.0, 6\.0, 8\.0\], 'device': 'cuda'", "^server ended$"))
      for how in ("clean", "asked")],
    silent("user: LitServe, clean (shape)", "user_litserve_shape.py", ("clean",), needs=TORCH,
           bare=(r"^8\.0$", ENDED_WELL)),
    violation("user: LitServe, asked (shape)", "user_litserve_shape.py", ("asked",), needs=TORCH,
              bare=(REFUSED,)),
]

GUARD_CASES = [*WHAT_USERS_SEE, *ROADS, *RIGHT_PROGRAMS, *USERS]
