"""The cases of policy `cpu`: forked children in which CUDA is absent.

At the driver first, then the frameworks, which answer from what their parent saw unless they are told.
"""

from check.cases import BINDINGS, CUPY, ENDED_WELL, JAX, NUMBA, TORCH, Told, carried

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

CPU_CASES = [*BY_DRIVER, *LATE]
