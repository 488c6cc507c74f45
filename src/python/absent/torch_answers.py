"""What `torch.cuda` is answered when it asks C: its functions look for them in `torch._C` at every call.

A function that only prepares, waits, tidies up or counts has nothing to do without a GPU, and a program that takes CUDA
for granted calls it all the same; there is no device, and its index, asked for to be used as one, is 0. What cannot
mean anything raises. What is not named here asks no device and is left as it is.

What comes behind `torch.cuda._lazy_init` in any case is exchanged there, and not at the fork.
"""
import sys

from _forkguard_absent import torch_words


def nothing(*_arguments, **_named):
    return None


def zero(*_arguments, **_named):
    return 0


def false(*_arguments, **_named):
    return False


def empty(*_arguments, **_named):
    return {}


def exchanged(device=-1, *_arguments):
    """The device that was the current one before; without a number, none is meant."""
    return -1 if device is None or device < 0 else 0


def none_meant():
    return -1


def raising(*_arguments, **_named):
    raise torch_words.no_gpu()


AT_FORK = (
    ("_cuda_getDeviceCount", zero),
    ("_cuda_setDevice", nothing),
    ("_cuda_exchangeDevice", exchanged),
    ("_cuda_maybeExchangeDevice", exchanged),
    ("_cuda_hasPrimaryContext", false),
    ("_cuda_resetAccumulatedMemoryStats", nothing),
    ("_cuda_resetPeakMemoryStats", nothing),
    ("_accelerator_exchangeDevice", exchanged),
    ("_accelerator_getDeviceIndex", zero),
    ("_accelerator_hooks_device_count", zero),
    ("_accelerator_maybeExchangeDevice", exchanged),
    ("_accelerator_setDeviceIndex", nothing),
    ("_accelerator_synchronizeDevice", nothing),
)
AT_FIRST_USE = (
    ("_cuda_clearCublasWorkspaces", nothing),
    ("_cuda_emptyCache", nothing),
    ("_cuda_init", nothing),
    ("_cuda_ipc_collect", nothing),
    ("_cuda_resetAccumulatedHostMemoryStats", nothing),
    ("_cuda_resetPeakHostMemoryStats", nothing),
    ("_cuda_setMemoryFraction", nothing),
    ("_cuda_set_sync_debug_mode", nothing),
    ("_cuda_sleep", nothing),
    ("_cuda_synchronize", nothing),
    ("_cuda_getDevice", zero),
    ("_cuda_get_sync_debug_mode", zero),
    ("_cuda_hostMemoryStats", empty),
    ("_cuda_memoryStats", empty),
    ("_cuda_canDeviceAccessPeer", raising),
    ("_cuda_cudaCachingAllocator_raw_alloc", raising),
    ("_cuda_cudaHostAllocator", raising),
    ("_cuda_getCurrentBlasHandle", raising),
    ("_cuda_getCurrentRawStream", raising),
    ("_cuda_getCurrentStream", raising),
    ("_cuda_getDefaultStream", raising),
    ("_cuda_getMemoryFraction", raising),
    ("_cuda_getStreamFromExternal", raising),
    ("_cuda_isCurrentStreamCapturing", false),
    ("_cuda_jiterator_compile_and_launch_kernel", raising),
    ("_cuda_memorySnapshot", raising),
    ("_cuda_setStream", raising),
    ("_accelerator_emptyCache", nothing),
    ("_accelerator_resetAccumulatedStats", nothing),
    ("_accelerator_resetPeakStats", nothing),
    ("_accelerator_getDeviceStats", empty),
    ("_accelerator_getDeviceCapability", raising),
    ("_accelerator_getMemoryInfo", raising),
    ("_accelerator_getStream", raising),
    ("_accelerator_setStream", raising),
    ("_accelerator_hooks_exchange_device", exchanged),
    ("_accelerator_hooks_get_current_device", zero),
    ("_accelerator_hooks_maybe_exchange_device", exchanged),
    ("_accelerator_hooks_set_current_device", nothing),
)
# Where a module has taken the C function out of `torch._C` when it was imported.
TAKEN = (("_exchange_device", exchanged), ("_maybe_exchange_device", exchanged))
TAKEN_BY_GRAPHS = (("_cuda_isCurrentStreamCapturing", false),)
# "The current device", where a function is given none: none it is.
CURRENT = (("_get_current_device_index", none_meant),)


def at_fork(torch, cuda):
    """Namespaces, and what comes into each."""
    return [_there(vars(torch._C), AT_FORK), _there(vars(cuda), TAKEN)]


def at_first_use(torch):
    for own, answers in (
        _there(vars(torch._C), AT_FIRST_USE),
        _there(vars(sys.modules.get("torch.cuda.graphs", torch)), TAKEN_BY_GRAPHS),
        _there(vars(sys.modules.get("torch._utils", torch)), CURRENT),
    ):
        own.update(answers)


def _there(own, answers):
    return own, {name: answer for name, answer in answers if name in own}
