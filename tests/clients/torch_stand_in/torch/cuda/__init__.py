"""torch.cuda's functions, as PyTorch has them."""
import torch

_initialized = True
_cached_device_count = 2


def is_available():
    return torch._C._cuda_getDeviceCount() > 0


def device_count():
    return torch._C._cuda_getDeviceCount() if _cached_device_count is None else _cached_device_count


def is_initialized():
    return _initialized


def _lazy_init():
    raise RuntimeError("Cannot re-initialize CUDA in forked subprocess")


def get_device_properties(device=None):
    _lazy_init()
    return "properties"
