"""PyTorch in a forked child in which CUDA is absent: there is no GPU, and "cuda" that is asked for becomes the CPU.

At the fork the answers are exchanged that PyTorch would give from what the parent saw. `torch.cuda._lazy_init`, which
comes before everything explicit whether from Python or from C, is the first explicit use: then, and not before, the
dispatcher gets other kernels. Nothing here takes a lock of PyTorch's, which another thread may have held at the fork.
"""
import _thread
import os
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

# What torch.cuda knows of the parent.
STATE = {"_initialized": False, "_cached_device_count": 0}

# Made ready in the parent: namespaces with what comes into each, attributes with their values, and the text that C++
# reads, with the process whose children it is for. All that a child does is to put them in place.
_namespaces = []
_attributes = []
_text = []
# What was there before: to take it down would write to more pages.
_before = []
# That they are in place, and that the first use was seen to; a grandchild inherits both.
_placed = []
_used = []
# While one thread sees to the first use, others wait. Made anew in each child: nobody holds it there.
_first = []


def prepare(torch):
    cuda = sys.modules.get("torch.cuda")
    if _attributes or cuda is None or getattr(torch.version, "cuda", None) is None:
        return
    state = {name: value for name, value in STATE.items() if name in vars(cuda)}
    _namespaces[:] = [*torch_answers.at_fork(torch, cuda), (vars(cuda), state)]
    _before.extend(own[name] for own, new in _namespaces for name in new)
    attributes = [(cuda._lazy_init, "__code__", _lazy_init.__code__), *torch_classes.at_fork(torch, use)]
    _before.extend(getattr(owner, name) for owner, name, _ in attributes)
    _attributes.extend(attributes)
    _text[:] = [os.getpid(), torch_words.driver_text(is_parent=native["origin"]()[0] == os.getpid())]


def absent(torch):
    try:
        prepare(torch)
    finally:
        # The answers in any case.
        _answer()
    if not _attributes:
        return
    _first[:] = [_thread.RLock()]
    if not _placed:
        _placed.append(True)
        for owner, name, value in _attributes:
            setattr(owner, name, value)
        torch_classes.place()
    initialiser, parent = native["origin"]()
    if _text[0] != parent:
        _text[:] = [parent, torch_words.driver_text(is_parent=initialiser == parent)]
    native["torch"](torch.Generator, _generator_arguments, _text[1])


def _answer():
    for own, new in _namespaces:
        own.update(new)
    if _namespaces:
        # Older ones keep the number of devices there.
        clear = getattr(sys.modules["torch.cuda"].device_count, "cache_clear", None)
        if clear is not None:
            clear()


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
    folders = getattr(sys.modules.get(package), "__path__", ())
    return any(code.co_filename.startswith(folder + os.sep) for folder in folders)


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
