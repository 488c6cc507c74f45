"""torch's tensors: those of this machine's memory are copied on write, as after a fork; those that are on the GPU are
shared by CUDA IPC, as torch's own spawn does it, and as long as the fresh process has them torch keeps them alive here.
"""
import pickle
import sys

from _forkguard import rebuild
from _forkguard.errors import Refused


def torch_has(*names):
    """torch's class of that name, where this process has it."""
    found = sys.modules.get("torch")
    for name in names:
        found = getattr(found, name, None)
    return found


def is_tensor(value, cls, session):
    tensor = torch_has("Tensor")
    return tensor is not None and isinstance(value, tensor)


def tensor(value, session):
    torch = sys.modules["torch"]
    if value.requires_grad and not value.is_leaf:
        raise Refused("a tensor in the middle of a computation, which is known to the process that makes it only")
    attributes = {}
    if value.device.type == "cuda":
        reduced, attributes = _by_ipc(value, session), dict(value.__dict__)
    elif value.device.type == "cpu" and not _is_shared(value, torch):
        # Not multiprocessing's own way, which would make the program's tensor a shared one.
        reduced = value.__reduce_ex__(5)
        if value.layout is not torch.strided:
            reduced = (rebuild.sparse_tensor, reduced[:2], *reduced[2:])
    else:
        return NotImplemented
    gradient = value.grad if value.requires_grad else None
    if gradient is None and not attributes or len(reduced) > 2:
        return reduced
    return reduced[0], reduced[1], (gradient, attributes), None, None, rebuild.fill_tensor


def _is_shared(value, torch):
    if value.layout is torch.strided:
        return value.is_shared()
    if value.layout is torch.sparse_coo:
        return value._values().is_shared() or value._indices().is_shared()
    return str(value.layout).startswith("torch.sparse_") and value.values().is_shared()


def _by_ipc(value, session):
    """torch counts what it gave away: the same tensor is given once for a start, however often that is tried."""
    session.meets_gpu(value)
    if id(value) not in session.given:
        reductions = sys.modules["torch.multiprocessing.reductions"]
        session.given[id(value)] = value, reductions.reduce_tensor(value)
    return session.given[id(value)][1]


def take_back(given):
    """Of a start that did not come about."""
    for _, (how, arguments) in given.values():
        if how.__name__ == "rebuild_cuda_tensor" and arguments[11] is not None:
            try:
                arguments[4]._release_ipc_counter(arguments[11], arguments[12], device=arguments[6])
            except Exception:
                # Then the memory stays with torch, as after a receiver that died.
                continue


def is_storage(value, cls, session):
    untyped = torch_has("UntypedStorage")
    return untyped is not None and isinstance(value, untyped)


def storage(value, session):
    torch = sys.modules["torch"]
    if value.device.type == "cuda":
        raise Refused("a storage of the GPU's memory by itself: a tensor over it can cross")
    if value.device.type != "cpu" or value.is_shared():
        return NotImplemented
    if value.nbytes() == 0:
        return rebuild.tensor_storage, (b"",)
    flat = torch.empty(0, dtype=torch.uint8).set_(value).numpy()
    return rebuild.tensor_storage, (pickle.PickleBuffer(flat),)


def is_typed_storage(value, cls, session):
    typed = torch_has("storage", "TypedStorage")
    return typed is not None and isinstance(value, typed)


def typed_storage(value, session):
    untyped = getattr(value, "_untyped_storage", None)
    if untyped is None or untyped.device.type != "cpu" or untyped.is_shared():
        return NotImplemented
    # One storage has many wrappers; what is shared must stay shared.
    untyped = session.storages.setdefault(untyped.data_ptr(), untyped)
    return rebuild.typed_storage, (untyped, value.dtype)
