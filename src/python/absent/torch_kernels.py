""""cuda" becomes the CPU: kernels for the dispatcher, through which each operation goes in every thread, whoever asks.

An operation that makes a tensor from nothing asks the few kernels here for its memory, with a device; a tensor that is
brought to a device would ask the driver for the current one first. As on a GPU, what was brought to "cuda" is a copy,
so a program may change it in place. Only tensors that the parent left on the GPU have CUDA kernels still, which fail.

Registered at the first explicit use and not at the fork: most forked children never ask.
"""
import warnings

# Those which make memory on the device, all other operations that take a device being made of them.
FACTORIES = ("empty_strided", "empty.memory_format", "tril_indices", "triu_indices", "_efficientzerotensor")
# Registrations end with the object that made them.
_kept = []


def register(torch):
    """False where this PyTorch has no way to it."""
    if not hasattr(torch, "library"):
        return False
    cuda = torch.library.Library("aten", "IMPL", "CUDA")
    any_device = torch.library.Library("aten", "IMPL")
    _kept.extend((cuda, any_device))
    to_device, to_options = _conversions(torch)
    with warnings.catch_warnings():
        # PyTorch warns that a kernel is replaced (the first of a process, older ones each); the program did not do it.
        warnings.simplefilter("ignore")
        for name in FACTORIES:
            operator = _operator(torch, name)
            if operator is not None:
                cuda.impl(name, _on_cpu(torch, operator))
        any_device.impl("to.device", to_device, "CompositeImplicitAutograd")
        any_device.impl("to.dtype_layout", to_options, "CompositeImplicitAutograd")
    return True


def _operator(torch, name):
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet, None), overload or "default", None)


def _on_cpu(torch, operator):
    cpu = torch.device("cpu")

    def made(*arguments, **named):
        named["device"] = cpu
        named["pin_memory"] = None
        return operator(*arguments, **named)

    return made


def _conversions(torch):
    cpu = torch.device("cpu")
    copied = torch.ops.aten._to_copy.default
    preserve = torch.preserve_format

    def is_as_asked(tensor, dtype, layout, device, memory_format):
        return (
            (dtype is None or dtype == tensor.dtype)
            and (layout is None or layout == tensor.layout)
            and (device is None or device == tensor.device)
            and (memory_format in (None, preserve) or tensor.is_contiguous(memory_format=memory_format))
        )

    def to_options(
        tensor,
        dtype=None,
        layout=None,
        device=None,
        pin_memory=None,
        non_blocking=False,
        copy=False,
        memory_format=None,
    ):
        if device is not None and device.type == "cuda":
            device, copy = (tensor.device, copy) if tensor.is_cuda else (cpu, True)
        if not copy and is_as_asked(tensor, dtype, layout, device, memory_format):
            return tensor
        return copied(
            tensor,
            dtype=dtype,
            layout=layout,
            device=device,
            pin_memory=pin_memory,
            non_blocking=non_blocking,
            memory_format=memory_format,
        )

    def to_device(tensor, device, dtype, non_blocking=False, copy=False, memory_format=None):
        return to_options(
            tensor, dtype, None, device, None, non_blocking=non_blocking, copy=copy, memory_format=memory_format
        )

    return to_device, to_options
