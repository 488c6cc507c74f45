"""What is measured on the GPU: programs that go on for as long as they are asked to, and their aims."""

from dataclasses import dataclass, field

from figures import Aim

THROUGHPUT = Aim("share", 0.998)


@dataclass(frozen=True)
class Case:
    """A program of programs/, and what its answers are turned into.

    Units a second where `a_second` says so, else `scale` times the seconds of one. `also` names a second row, of what
    the program tells of itself beside the time."""

    key: str
    what: str
    unit: str
    aim: Aim
    program: str
    a_second: bool = True
    scale: float = 1.0
    arguments: tuple = ()
    # The guarded side's settings.
    guard: dict = field(default_factory=dict)
    also: "Case" = None
    # How long one turn of one side should last, in seconds; what cannot be that short lasts for one unit.
    lasts: float = 0.02
    # How much of the time there is, compared with the others.
    weight: float = 1.0
    # How many cores its processes have, all of them the same ones; None: all cores but the script's own.
    cores: int = None
    # Whether it is measured in one process as well, with the guard's stubs in its way and out of it.
    stubs: bool = False
    # Which sides are guarded, and how much more the second one has to do: other than so only to try the script.
    sides: tuple = (False, True)
    more: float = 0.0

    def program_and_arguments(self):
        return self.program, self.arguments


LOOP = {"stubs": True, "weight": 1.3}
CALL = {"program": "native_calls.py", "a_second": False, "scale": 1e9, "cores": 1, "stubs": True, "weight": 0.5}
FORKS = {"a_second": False, "scale": 1e6, "lasts": 0.05, "weight": 0.7, "cores": 2}
CASES = [
    Case("gpu-call", "a driver call, `cuDeviceGetCount`", "ns", Aim("more", 0.3), arguments=("call",), **CALL),
    Case("gpu-launch", "`cuLaunchKernel` of an empty kernel", "ns", Aim("times", 1.002), arguments=("launch",), **CALL),
    Case("torch-tiny", "PyTorch, kernels of one element", "launches/s", THROUGHPUT, "torch_tiny.py", cores=1, **LOOP),
    # PyTorch's backward pass has a thread of its own, and JAX's launches have.
    Case("torch-train", "PyTorch, training a small transformer", "steps/s", THROUGHPUT, "torch_train.py", cores=2,
         **LOOP),
    Case("cupy", "CuPy, element-wise loop", "steps/s", THROUGHPUT, "cupy_elementwise.py", cores=1, **LOOP),
    Case("jax", "JAX, a jitted training step", "steps/s", THROUGHPUT, "jax_step.py", cores=2,
         **{**LOOP, "weight": 2.6}),  # half of its time goes by until its processes are ready
    Case(
        "loader", "`DataLoader`, epochs with 8 new workers", "images/s", THROUGHPUT, "torch_loader.py",
        also=Case("loader-start", "of an epoch: its 8 workers' start", "ms", Aim("more", 0.4), "", False, 1e3),
        lasts=0.4, weight=1.8,
    ),
    Case("torch-fork", "fork, exit, wait: PyTorch that has used the GPU", "µs", Aim("more", 50), "torch_forks.py",
         **FORKS),
    Case("torch-fork-cpu", "the same under `cpu`, until the child can go on", "µs", None, "torch_forks.py",
         guard={"FORKGUARD_POLICY": "cpu"}, **FORKS),
]


CALLS = {"unit": "calls/s", "aim": THROUGHPUT, "program": "native_calls.py", "arguments": ("call",), "cores": 1}
# What the script is tried with on itself, and what it may not say of each.
ITSELF = [
    (Case("same-guarded", "driver calls, both guarded", sides=(True, True), **CALLS), "MISSED"),
    (Case("same-bare", "the same, both bare", sides=(False, False), **CALLS), "MISSED"),
    (Case("slower", "both guarded, one has 1 % more to do", sides=(True, True), more=0.01, **CALLS), "reached"),
    (Case("itself", "bare and guarded", stubs=True, **CALLS), ""),
]


@dataclass(frozen=True)
class Native:
    """A mode of bench.d/measure.c, by the machine's own driver; all of them in one process, in this order."""

    key: str
    what: str
    unit: str
    aim: Aim
    mode: str
    count: int


NATIVE = [
    Native("gpu-fork-init", "fork, exit, wait after `cuInit`, C", "µs", Aim("more", 50), "fork-init", 100),
    Native("gpu-fork-context", "fork, exit, wait with a context, C", "µs", Aim("more", 50), "fork-context", 60),
]


@dataclass(frozen=True)
class Served:
    """Children that the guard gives a driver of their own: the driver's own time, and with the guard's before it."""

    key: str
    what: str
    parent: str
    guard: dict


REVIVE = {"FORKGUARD_POLICY": "revive"}
SERVED = [
    Served("revive", "a child's first call under `revive`; the parent called `cuInit`", "init", REVIVE),
    Served("revive-context", "the same, the parent has a context", "context",
           {**REVIVE, "FORKGUARD_REVIVE": "foreign-handles-unused"}),
]
CHILDREN = 20
