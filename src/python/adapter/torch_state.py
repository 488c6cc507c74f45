"""torch's settings, which a fork copies: taken in the parent by name, put in the fresh process when it imports torch.

Neither side initialises CUDA for it: what concerns the GPU is put when the program first uses it.
"""
import sys


def taken():
    """(what it is called, its value), of what this version of torch has."""
    torch = sys.modules["torch"]
    for name, get, _ in _simple(torch):
        try:
            yield name, get()
        except (AttributeError, RuntimeError):
            # Not in this version, or not in this build.
            continue
    for path in _FLAGS:
        found = _find(torch, path)
        if isinstance(found, (bool, int)):
            yield path, found
    cuda = _find(torch, "cuda")
    if cuda is not None and cuda.is_initialized() and cuda.current_device() != 0:
        yield "cuda device", cuda.current_device()


def put(settings):
    torch = sys.modules["torch"]
    setters = {name: (get, set_it) for name, get, set_it in _simple(torch)}
    for name, value in settings.items():
        if name == "cuda device":
            torch.cuda._lazy_call(lambda device=value: torch.cuda.set_device(device))
        elif name in setters:
            get, set_it = setters[name]
            if get() != value:
                set_it(value)
        else:
            owner, _, attribute = name.rpartition(".")
            if _find(torch, name) != value:
                setattr(_find(torch, owner), attribute, value)


def _simple(torch):
    return (
        ("dtype", lambda: torch.get_default_dtype(), lambda value: torch.set_default_dtype(value)),
        ("gradients", lambda: torch.is_grad_enabled(), lambda value: torch.set_grad_enabled(value)),
        ("threads", lambda: torch.get_num_threads(), lambda value: torch.set_num_threads(value)),
        (
            "deterministic",
            lambda: (
                torch.are_deterministic_algorithms_enabled(),
                torch.is_deterministic_algorithms_warn_only_enabled(),
            ),
            lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
        ),
        (
            "matmul precision",
            lambda: torch.get_float32_matmul_precision(),
            lambda value: torch.set_float32_matmul_precision(value),
        ),
    )


# Under `torch`.
_FLAGS = (
    "backends.cudnn.enabled",
    "backends.cudnn.benchmark",
    "backends.cudnn.deterministic",
    "backends.mkldnn.enabled",
)


def _find(owner, path):
    for name in path.split("."):
        owner = getattr(owner, name, None)
    return owner
