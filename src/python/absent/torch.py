"""PyTorch in a forked child in which CUDA is absent: there is no GPU, and "cuda" that is asked for becomes the CPU.

At the fork the answers are exchanged that PyTorch would give from what the parent saw. `torch.cuda._lazy_init`, which
comes before everything explicit whether from Python or from C, is the first explicit use: then, and not before, the
dispatcher gets other kernels. Nothing here takes a lock of PyTorch's, which another thread may have held at the fork.
"""
import _thread
import sys

from _forkguard_absent import native
from _forkguard_absent import torch_answers
from _forkguard_absent import torch_classes
from _forkguard_absent import torch_kernels
from _forkguard_absent import torch_words

# Functions of torch.cuda that initialise it and then go on to something that has no answer without a GPU.
NEED_A_GPU = {
    "_get_pynvml_handler",
    "can_device_access_peer",
    "caching_allocator_alloc",
    "cudart",
    "get_device_properties",
    "get_rng_state",
    "initial_seed",
}

# What is done at the fork (with what was there, which is not taken down here), and at the first use; a grandchild
# inherits both.
_told = []
_used = []
# While one thread sees to the first use, others wait. Made anew in each child: nobody holds it there.
_first = []
# What C++ reads for as long as the process lives.
_texts = []


def prepare(torch):
    if _has_cuda(torch):
        torch_classes.prepare(torch, use)


def absent(torch):
    if not _has_cuda(torch):
        return
    _first[:] = [_thread.RLock()]
    if not _told:
        _tell(torch, sys.modules["torch.cuda"])
    _texts.append(torch_words.driver_text())
    native["torch"](torch.Generator, _generator_arguments, _texts[-1])


def _has_cuda(torch):
    return "torch.cuda" in sys.modules and getattr(torch.version, "cuda", None) is not None


def _tell(torch, cuda):
    _told.append(cuda._lazy_init.__code__)
    torch_answers.at_fork(torch, cuda)
    cuda._initialized = False
    # Newer ones keep the number in a variable, older ones behind the function.
    if hasattr(cuda, "_cached_device_count"):
        cuda._cached_device_count = 0
    elif hasattr(cuda.device_count, "cache_clear"):
        cuda.device_count.cache_clear()
    cuda._lazy_init.__code__ = _lazy_init.__code__
    torch_classes.at_fork(torch, use)


def _lazy_init():
    # Runs with the globals of torch.cuda, as the code of its own function.
    from _forkguard_absent import torch

    torch.initialise()


def initialise():
    frame = sys._getframe(2)
    name, code = frame.f_code.co_name, frame.f_code
    if name in NEED_A_GPU and _is_of(code, "torch.cuda"):
        raise torch_words.no_gpu()
    if name.startswith("rebuild_cuda") and _is_of(code, "torch.multiprocessing"):
        raise torch_words.not_here()
    use(frame)


def _is_of(code, package):
    folder = sys.modules[package].__path__[0]
    return code.co_filename.startswith(folder)


def use(frame):
    """The program asks for "cuda" explicitly."""
    torch = sys.modules["torch"]
    with _first[-1]:
        if not _used:
            _used.append(True)
            torch_answers.at_first_use(torch)
            torch_classes.at_first_use()
            _used[0] = torch_kernels.register(torch)
    if not _used[0]:
        raise torch_words.no_gpu()
    torch_words.notice(torch, frame)


def _generator_arguments(arguments, named):
    """Those of `torch.Generator(…)`, with the CPU in place of "cuda"."""
    device = arguments[0] if arguments else named.get("device")
    if not str(device).startswith("cuda"):
        return arguments, named
    use(sys._getframe(1))
    return (), {"device": "cpu"}
