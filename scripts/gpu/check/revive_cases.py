"""The cases of policy `revive`: forked children that get a driver of their own, and what is refused.

A parent that had only called cuInit is served as it is, and one whose runtime library only counted; one with a context
only on the user's word (UNUSED); one whose runtime library has a context is refused, and the next policy of the chain
has its turn.
"""

from check.cases import (BINDINGS, CUPY, ENDED_WELL, HIDDEN, NUMBA, NVML, PYAV, REFUSED, RUNTIME, TORCH,
                         TRAINED_BY_ACCELERATE, TWO_GPUS, Told, carried)

REVIVE, UNUSED = ("revive",), ("revive, handles unused",)
NOT_INITIALISED = "CUDA_ERROR_NOT_INITIALIZED"
# However many the machine has.
DEVICES = r"\d device, right"
# What the guard may add to the driver's own initialisation, in milliseconds, on a machine that does nothing else.
TOOK = 3.0

BY_DRIVER = [
    *[carried(f"revive: cuda-bindings, parent has {parent}, kernel by {kernel}", "revive_bindings.py", REVIVE,
              (parent, kernel), needs=(*BINDINGS, *more), bare=(f"^child: RuntimeError: {NOT_INITIALISED}",),
              works=(f"^child: {DEVICES}$", ENDED_WELL, "^parent goes on: right$"),
              told=Told(revived=1))
      for parent, kernel, more in (("init", "ptx", ()), ("init", "nvrtc", ("nvrtc",)), ("queries", "ptx", ()))],
    carried("revive: cuda-bindings, parent has a context, nothing said", "revive_bindings.py",
            ("revive", "revive,abort"), ("context", "ptx"), needs=BINDINGS, bare=(NOT_INITIALISED,),
            works=("^child exit: -6$", "^parent goes on: right$"),
            told=Told(violations=1, refused=1, reason="had created a context",
                      notice="Policy revive .*foreign-handles-unused")),
    carried("revive: cuda-bindings, parent has a context", "revive_bindings.py", UNUSED, ("context", "ptx"),
            needs=BINDINGS, bare=(NOT_INITIALISED,),
            works=(f"^child: {DEVICES}$", ENDED_WELL, "^parent goes on: right$"),
            told=Told(revived=1)),
    carried("revive: cuda-bindings counts, as it is", "bindings_fork.py", REVIVE, needs=BINDINGS,
            bare=(f"child: {NOT_INITIALISED}",), works=("^child: CUDA_SUCCESS$", ENDED_WELL), told=Told(revived=1)),
    carried("revive: linked with -lcuda, as it is", "linked.c", UNUSED, needs=("linked_c",), binary="linked_c",
            bare=("cuDeviceGetCount answers 3",), works=("cuDeviceGetCount answers 0", ENDED_WELL),
            told=Told(revived=1)),
    # A kernel this small is warned about where it runs, so in the child that works and not in the bare one.
    *[carried(f"revive: numba asked, a {work} in the child", "revive_numba.py", REVIVE, (work,), needs=needs,
              env={"NUMBA_CUDA_LOW_OCCUPANCY_WARNINGS": "0"}, bare=("initialized before forking",),
              works=(f"^child: {total}$", ENDED_WELL, f"^parent: {total}$"),
              told=Told(revived=1))
      for work, needs, total in (("copy", NUMBA, sum(range(1000))),
                                 ("kernel", (*NUMBA, "numba_kernels"), 3 * sum(range(1000))))],
]

TORCH_AFTER = [
    carried(f"revive: torch trains after {who} in the parent", "revive_torch.py", ways, (who,), needs=(*TORCH, *needs),
            bare=bare, works=(r"(?s)^child: ((?:0\.\d{6} ?){5}, \d+\.\d{4} on cuda:0)$.*^never forked: \1$", ENDED_WELL,
                              "^parent kept it: True$"),
            told=Told(revived=revived), timeout=120)
    for who, ways, needs, bare, revived in (
        ("bindings", REVIVE, BINDINGS, (r"^child: \w+Error: ",), 1),
        ("numba", REVIVE, NUMBA, (r"^child: \w+Error: ",), 1),
        ("ffmpeg", UNUSED, PYAV, (r"^child: \w+Error: ",), 1),
        # It asks torch, which under this policy asks NVML: nothing is initialised, nothing is to be done.
        ("triton", REVIVE, ("inductor",), (f"^child: RuntimeError: {REFUSED}",), 0),
    )
]

CUVID = [
    *[carried(f"revive: pyav, h264_cuvid on both sides, the child ends by {ending}", "revive_pyav.py", UNUSED,
              (ending,), needs=PYAV, bare=("cuInit answers 3", "Generic error in an external library",
                                "^parent decoded on to the end: True$"),
              works=("^child: cuInit answers 0$", "^child decoded to the end: True$", ENDED_WELL,
                     "^parent decoded on to the end: True$"), told=Told(revived=1))
      for ending in ("return", "os._exit")],
    *[carried(f"revive: pyav {how}, as it is", "pyav_decode.py", UNUSED, (how,), needs=PYAV, bare=(bare,),
              works=(works, ENDED_WELL, "^parent decoded on to the end: True$"), told=Told(revived=1))
      for how, bare, works in (("cuinit", "cuInit answers 3", "^cuInit answers 0$"),
                               ("cuvid", "Generic error", "^child decoder: None$"))],
]

# A runtime library that only counted devices, by whatever road, goes on in the child.
SQUARES = sum(number * number for number in range(32))
COUNTED = [
    *[carried(f"revive: {kind} cudart counted, kernel in the child", "runtime.cu", REVIVE, ("counts",), needs=(need,),
              binary=need, bare=("^child: cudaMalloc answers 3$",),
              works=("^child: cudaMalloc answers 0$", f"^child: {SQUARES}$", ENDED_WELL,
                     f"^parent goes on: {SQUARES}$"),
              told=Told(revived=1))
      for kind, need in (("static", "runtime_static"), ("shared", "runtime_shared"))],
    carried("revive: cupy asked, as it is", "cupy_ask.py", ("revive", "revive,exec", "exec,revive"), needs=CUPY,
            bare=("cudaErrorInitializationError",), works=("^6$", ENDED_WELL),
            told=Told(revived=1, refused=range(2))),
    carried("revive: cupy 2 processes x 3 threads, as it is", "cupy_threads.py", REVIVE, ("poisoned",), needs=CUPY,
            bare=("cudaErrorInitializationError",), works=(r"(?s)(^thread 2: 56$.*){2}", ENDED_WELL),
            told=Told(revived=2)),
    carried("revive: torch asked through the runtime", "torch_nvml_check.py", REVIVE, needs=TORCH, env=RUNTIME,
            bare=("^setting: 0$", REFUSED),
            works=("^setting: 0$", r"^parent asks: True$", r"^child: 4\.0$", ENDED_WELL, r"^parent goes on: 4\.0$"),
            told=Told(revived=1)),
    carried("revive: torch asked through the runtime, Pool", "torch_ask_pool.py", REVIVE, needs=TORCH, env=RUNTIME,
            bare=(REFUSED,), works=(r"^task: 4\.0$", r"^task: 7\.0$", ENDED_WELL), told=Told(revived=range(1, 3))),
    carried("revive: torch asked through the runtime, two GPUs", "revive_two_gpus.py", REVIVE,
            needs=(*TORCH, "two_gpus"), env=RUNTIME, bare=(REFUSED,),
            works=(r"^child: 8\.0 on cuda:0 and cuda:1$", ENDED_WELL, r"^parent goes on: 8\.0 on cuda:0 and cuda:1$"),
            told=Told(revived=1)),
    *[carried(f"revive: torch asked through the runtime, {what}", "torch_two_workers.py", REVIVE, (how,),
              needs=(*TORCH, "two_gpus"), env=RUNTIME, bare=(REFUSED,), works=works, told=Told(revived=2))
      for how, what, works in TWO_GPUS],
    carried("revive: user: accelerate's notebook_launcher, two GPUs", "user_accelerate.py", REVIVE, env=RUNTIME,
            needs=("torch", "accelerate", "two_gpus"), bare=(REFUSED,),
            works=(*TRAINED_BY_ACCELERATE, r"^parent goes on: 4\.0$"), told=Told(revived=2)),
    carried("revive: user: Applio preprocessing (shape), asked through the runtime", "user_applio_shape.py", REVIVE,
            needs=TORCH, env=RUNTIME, bare=(REFUSED,), works=(r"^device: cuda:0$", r"^file: \d+$", ENDED_WELL),
            told=Told(revived=range(1, 5))),
]

# One that made a context keeps more of the driver's than can be put right.
RUNTIME_REASON = r"(?i)runtime"
CHAIN = [
    *[carried(f"revive: road: {kind} cudart", "runtime.cu", REVIVE, needs=(need,), binary=need,
              bare=("cudaMalloc answers 3",), works=("^child exit: -6$",),
              told=Told(violations=1, refused=1, reason=RUNTIME_REASON, notice="Policy revive .*runtime"))
      for kind, need in (("static", "runtime_static"), ("shared", "runtime_shared"))],
    carried("revive: torch used, the chain ends in abort", "chain_torch.py", ("revive,abort",), needs=TORCH,
            bare=(f"child: RuntimeError: {REFUSED}",), works=("^child exit: -6$", r"^parent goes on: 8\.0 on cuda$"),
            told=Told(violations=1, refused=1, reason=RUNTIME_REASON, notice="Policy revive .*runtime")),
    carried("revive: torch used, the chain goes on to cpu", "chain_torch.py", ("revive,cpu",), needs=TORCH,
            bare=(REFUSED,), works=(r"^child: 8\.0 on cpu$", ENDED_WELL, r"^parent goes on: 8\.0 on cuda$"),
            # No driver call need be made for it, and then nothing is refused aloud.
            told=Told(cpu=range(2), refused=range(2), reason=RUNTIME_REASON, notices=1, notice="(?i)cpu")),
    carried("revive: torch used, the chain goes on to exec", "chain_torch.py", ("revive,exec",),
            needs=(*TORCH, "cloudpickle"), bare=(REFUSED,),
            works=(r"^child: 8\.0 on cuda$", ENDED_WELL, r"^parent goes on: 8\.0 on cuda$"),
            told=Told(rewritten=1, refused=range(2), reason=RUNTIME_REASON)),
]

HEALTH = [
    carried("revive: the parent works on, the child leaves", "revive_parent.py", UNUSED, ("leaves",), needs=BINDINGS,
            bare=(f"^child: RuntimeError: {NOT_INITIALISED}",),
            works=("^parent before: right$", "^child: right$", "^parent during: right$", ENDED_WELL,
                   "^parent after: right$"), told=Told(revived=1)),
    carried("revive: the parent works on, the child is killed at work", "revive_parent.py", UNUSED, ("killed",),
            needs=BINDINGS, bare=(f"^child: RuntimeError: {NOT_INITIALISED}",),
            works=("^parent before: right$", "^child: right$", "^parent during: right$", "^child exit: -9$",
                   "^parent after: right$"), told=Told(revived=1)),
    carried("revive: children killed while they are revived", "revive_killed_early.py", UNUSED, needs=BINDINGS,
            bare=("failed: True$",),
            works=("^killed in the middle: True, failed: False$", r"^parent after each: \['right'\]$"),
            told=Told(revived=range(31), cut=True)),
    carried("revive: 200 children, one after the other", "revive_many.py", UNUSED, ("200",), needs=BINDINGS,
            bare=(rf"^child: RuntimeError: {NOT_INITIALISED} \(200 times\)$",),
            works=(r"^child: \d \(150 times\)$", rf"^child: {DEVICES} \(50 times\)$", r"^exits: \{0: 200\}$",
                   r"^parent every time: \['right'\]$"),
            told=Told(revived=200), timeout=110),
    carried("revive: 16 children at once", "revive_many.py", UNUSED, ("16",), needs=BINDINGS,
            bare=(rf"^child: RuntimeError: {NOT_INITIALISED} \(16 times\)$",),
            works=(rf"^child: {DEVICES} \(16 times\)$", r"^exits: \{0: 16\}$", r"^parent every time: \['right'\]$"),
            told=Told(revived=16)),
    carried("revive: grandchildren, only the last has a context", "revive_family.py", REVIVE, ("asking",),
            needs=BINDINGS, bare=(NOT_INITIALISED,),
            works=(r"^child: \d device$", r"^grandchild: \d device$", "^great-grandchild: right$",
                   r"(?s)(^child exit: 0$.*){3}", r"^child again: \d$", r"^grandchild again: \d$", r"^parent again: \d$"),
            told=Told(revived=3)),
    carried("revive: grandchildren, each has a context", "revive_family.py", UNUSED, ("working",), needs=BINDINGS,
            bare=(NOT_INITIALISED,),
            works=("^child: right$", "^grandchild: right$", "^great-grandchild: right$",
                   r"(?s)(^child exit: 0$.*){3}", "^child again: right$", "^grandchild again: right$",
                   "^parent again: right$"), told=Told(revived=3)),
    carried("revive: forked by a thread, four threads at once", "revive_threads.py", REVIVE, needs=BINDINGS,
            bare=(NOT_INITIALISED,),
            works=(rf"(?s)(^thread: {DEVICES}$.*){{4}}", f"^forking thread: {DEVICES}$", ENDED_WELL,
                   f"^parent goes on: {DEVICES}$"), told=Told(revived=1)),
    carried("revive: the thread that forked ends in the child", "revive_thread_ends.c", UNUSED,
            needs=("thread_ends_c",), binary="thread_ends_c", bare=("^child: works 0$", "^parent goes on: works 1$"),
            works=("^parent: works 1$", "^child: works 1$", "^child: works in another thread 1$", ENDED_WELL,
                   "^parent goes on: works 1$"), told=Told(revived=1)),
    *[carried(f"revive: every way out of a child, parent has {what}", "revive_exit.py", ways, (what,), needs=BINDINGS,
              bare=(f"^return: RuntimeError: {NOT_INITIALISED}",),
              works=("^return: right$", r"^sys\.exit: right$", r"^os\._exit: right$", f"^thread: {DEVICES}$",
                     r"(?s)(^child exit: 0$.*){4}", f"^parent after thread: {after}$"), told=Told(revived=4))
      for what, ways, after in (("init", REVIVE, r"\d"), ("context", UNUSED, "right"))],
    *[carried(f"revive: NVML started {when} CUDA", "revive_nvml.py", REVIVE, (when,), needs=(*BINDINGS, "nvml"),
              bare=(f"CUDA RuntimeError: {NOT_INITIALISED}",),
              works=(rf"^child: NVML (\d+) before, \1 after; CUDA {DEVICES}$", r"^child: NVML anew 0, 0, CUDA \d$",
                     ENDED_WELL, f"^parent goes on: NVML 0, CUDA {DEVICES}$"), told=Told(revived=1))
      for when in ("before", "after")],
    carried("revive: a failing cuInit first", "failing_init.py", REVIVE, ("driver",), needs=("driver",), env=HIDDEN,
            bare=("^parent: 100$",), works=("^parent: 100$", "^child: 0$", ENDED_WELL)),
    carried("revive: the parent's memory", "revive_memory.py", UNUSED, needs=BINDINGS, alone=True,
            bare=(f"^child: RuntimeError: {NOT_INITIALISED}",),
            works=(r"(?s)(^child: right$.*){3}", *(rf"^free after {way}: \+0 bytes$"
                                                   for way in ("frees", "leaves", "killed")),
                   r"(?s)(^parent: right$.*){3}"), told=Told(revived=3)),
    carried("revive: times, 20 children", "revive_times.py", REVIVE, needs=BINDINGS, alone=True,
            bare=(NOT_INITIALISED,),
            works=("^children: all well$", "^first call within 60 ms: True$", f"^parent: {DEVICES}$"),
            told=Told(revived=20, took_ms=TOOK)),
]

ASKED = r"^parent asks: True$"
NOTHING_TO_DO = [
    carried("revive: torch only asked, nothing to do", "torch_nvml_check.py", ("revive", "cpu", "exec"), needs=TORCH,
            bare=("^setting: None$", REFUSED), works=("^setting: 1$", ASKED, r"^child: 4\.0$", ENDED_WELL)),
    carried("revive: torch only asked, the user's own 1", "torch_nvml_check.py", ("revive", "cpu", "exec"), needs=TORCH,
            env=NVML, bare=("^setting: 1$", r"^child: 4\.0$"),
            works=("^setting: 1$", ASKED, r"^child: 4\.0$", ENDED_WELL)),
]

# In these the inference worker is spawned; the HTTP server and LitServe's manager are forks.
USERS = [
    carried("revive: user: LitServe itself, asked", "user_litserve.py", REVIVE, ("asked",), needs=("torch", "litserve"),
            bare=("^answer: ", "^server ended$"),
            works=(r"^answer: .*\[2\.0, 4\.0, 6\.0, 8\.0\], 'device': 'cuda'", "^server ended$")),
    carried("revive: user: LitServe itself, an array on the GPU is the answer", "user_litserve.py", REVIVE,
            ("array", "driver"), needs=("torch", "cupy", "litserve"), bare=("^server ended$",),
            works=(r"^answer: .*\[2\.0, 4\.0, 6\.0, 8\.0\], 'device': 'cuda'", "^server ended$"),
            told=Told(revived=range(1, 4))),
    carried("revive: user: LitServe, asked (shape)", "user_litserve_shape.py", REVIVE, ("asked",), needs=TORCH,
            bare=(REFUSED,), works=(r"^8\.0$", ENDED_WELL)),
    carried("revive: user: Applio preprocessing (shape)", "user_applio_shape.py", REVIVE, needs=TORCH,
            bare=(REFUSED,), works=(r"^device: cuda:0$", r"^file: \d+$", ENDED_WELL)),
]

REVIVE_CASES = [*BY_DRIVER, *TORCH_AFTER, *CUVID, *COUNTED, *CHAIN, *HEALTH, *NOTHING_TO_DO, *USERS]
