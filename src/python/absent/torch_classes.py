"""Classes and registries of PyTorch's that decide about CUDA themselves, before any operation is called."""
import functools
import sys

from _forkguard_absent import torch_words

def at_fork(torch, use):
    """Objects, names of their attributes, and the new values. `use` is called where the program asks for "cuda"."""
    return [*_autocast(torch), *_grad_scaler(), *_pinning(torch, use), *_storage(torch, use)]


def place():
    """What was saved on a GPU, or is to be put on one by `map_location`, stays where the file is read to."""
    registry = getattr(sys.modules.get("torch.serialization"), "_package_registry", None)
    if registry is not None:
        registry.insert(0, (-1, _tag, _restore))


def at_first_use():
    """Before it, the driver's refusal says the same."""
    for module, name in (
        ("torch.cuda.streams", "Stream"),
        ("torch.cuda.streams", "Event"),
        ("torch.cuda.graphs", "CUDAGraph"),
    ):
        found = vars(sys.modules.get(module, sys)).get(name)
        if found is not None:
            found.__new__ = staticmethod(_without_gpu)


def _is_cuda(device):
    return str(device).startswith("cuda")


def _autocast(torch):
    autocast = getattr(sys.modules.get("torch.amp.autocast_mode"), "autocast", None)
    if autocast is None:
        return
    # float16 on the CPU came with this function.
    offered = (torch.bfloat16, torch.float16) if hasattr(torch, "get_autocast_dtype") else (torch.bfloat16,)
    begin, enter = autocast.__init__, autocast.__enter__

    @functools.wraps(begin)
    def begin_on_cpu(self, device_type, dtype=None, enabled=True, *others, **named):
        if _is_cuda(device_type):
            device_type = "cpu"
            if dtype == torch.float16 and dtype not in offered:
                dtype = torch.bfloat16
            # On CUDA any type may be asked for, and one that is none of these casts nothing.
            enabled = enabled and (dtype is None or dtype in offered)
            dtype = dtype if enabled else None
        begin(self, device_type, dtype, enabled, *others, **named)

    @functools.wraps(enter)
    def enter_on_cpu(self):
        if getattr(self, "device", None) == "cuda":
            # Made before the fork.
            self.device = "cpu"
            if self.fast_dtype not in offered:
                self.fast_dtype = torch.bfloat16
        return enter(self)

    yield autocast, "__init__", begin_on_cpu
    yield autocast, "__enter__", enter_on_cpu


def _grad_scaler():
    """Disabled, as it disables itself without a GPU, but without a warning."""
    for module in ("torch.amp.grad_scaler", "torch.cuda.amp.grad_scaler"):
        scaler = vars(sys.modules.get(module, sys)).get("GradScaler")
        if scaler is not None and scaler.__module__ == module:
            yield scaler, "__init__", _disabled(scaler.__init__)


def _disabled(begin):
    signature = []

    @functools.wraps(begin)
    def begin_disabled(*arguments, **named):
        if not signature:
            import inspect  # not at the top: programs without PyTorch come by here, too

            signature.append(inspect.signature(begin))
        bound = signature[0].bind(*arguments, **named)
        bound.apply_defaults()
        if _is_cuda(bound.arguments.get("device", "cuda")):
            bound.arguments["enabled"] = False
        begin(*bound.args, **bound.kwargs)

    return begin_disabled


def _pinning(torch, use):
    """Memory is pinned for copies to a GPU; without one it is memory like any other."""
    tensor = torch.Tensor

    @functools.wraps(tensor.pin_memory)
    def pin_memory(self, device=None):
        use(sys._getframe(1))
        return self.clone()

    @functools.wraps(tensor.is_pinned)
    def is_pinned(self, device=None):
        return False

    yield tensor, "pin_memory", pin_memory
    yield tensor, "is_pinned", is_pinned


def _without_gpu(_class, *_arguments, **_named):
    raise torch_words.no_gpu()


def _storage(torch, use):
    storage = getattr(torch, "UntypedStorage", None)
    if storage is None:
        return
    make = storage.__new__

    def make_on_cpu(*arguments, **named):
        if _is_cuda(named.get("device")):
            use(sys._getframe(1))
            named["device"] = "cpu"
        return make(*arguments, **named)

    yield storage, "__new__", staticmethod(make_on_cpu)


def _tag(_storage):
    """Saving is asked of the others."""
    return None


def _restore(storage, location):
    return storage if _is_cuda(location) else None
