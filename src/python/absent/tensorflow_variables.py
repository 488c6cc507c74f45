"""TensorFlow's variables that the parent had on its CPU, in a child whose context is another one.

A handle leads to its variable, and so reading and updating it work as they are. But an assignment looks for it by its
name, in the context: there it would make a second one, which nobody reads. So each handle is made, in its place, one of
a variable of the new context with the same value. Functions hold on to the same handle, and need not be traced again.
"""
import gc
import sys

from _forkguard_absent.kept import keep

# Bytes of a pointer.
WORD = 8


def take_over():
    module = sys.modules["tensorflow.python.ops.resource_variable_ops"]
    operations = module.gen_resource_variable_ops
    name = sys.modules["tensorflow.python.eager.context"].anonymous_name()
    tensor = sys.modules["tensorflow.python.framework.ops"].EagerTensor
    seen = set()
    for thing in gc.get_objects():
        if module.BaseResourceVariable not in type(thing).__mro__:
            continue
        handle = getattr(thing, "_handle", None)
        if isinstance(handle, tensor) and id(handle) not in seen and "GPU" not in handle.device:
            seen.add(id(handle))
            new = operations.var_handle_op(dtype=thing.dtype, shape=thing.shape, shared_name=name)
            if bool(operations.var_is_initialized_op(handle)):
                operations.assign_variable_op(new, operations.read_variable_op(handle, thing.dtype))
            _exchange(handle, new)
            keep(new)


def _exchange(one, other):
    """What two tensors are."""
    import ctypes

    offset = _offset((one, other))
    ours, theirs = (ctypes.c_void_p.from_address(id(tensor) + offset) for tensor in (one, other))
    ours.value, theirs.value = theirs.value, ours.value


def _offset(tensors):
    """Where a tensor has its pointer to what it is: before its number, of which no other tensor has the same."""
    import ctypes

    places = set(range(2 * WORD, type(tensors[0]).__basicsize__, WORD))
    for tensor in tensors:
        places = {at for at in places if ctypes.c_int64.from_address(id(tensor) + at).value == tensor._id}
    if len(places) != 1:
        raise TypeError("tensors of an unknown form")
    return places.pop() - WORD
