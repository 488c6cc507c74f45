"""As much of PyTorch as decides what its torch.cuda answers, for cpu_torch.py: what a version must have, and no more."""
import sys
import types

version = types.SimpleNamespace(cuda="13.0")
bfloat16, float16 = "bfloat16", "float16"
_C = sys.modules["torch._C"] = types.ModuleType("torch._C")
_C._cuda_getDeviceCount = lambda: 2
preserve_format = None
ops = types.SimpleNamespace(aten=types.SimpleNamespace(_to_copy=types.SimpleNamespace(default=None)))


class Library:
    def __init__(self, namespace, kind, key=""):
        pass

    def impl(self, name, function, key=""):
        pass


def device(name, index=None):
    return name, index


library = types.SimpleNamespace(Library=Library)


class Tensor:
    def clone(self):
        return "a copy"

    def pin_memory(self, device=None):
        raise RuntimeError("pinning needs the driver")

    def is_pinned(self, device=None):
        raise RuntimeError("asking needs the driver")


class Generator:
    pass


from torch import cuda  # noqa: E402 (it takes what is above)
