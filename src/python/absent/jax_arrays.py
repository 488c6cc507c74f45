"""Arrays of JAX that the parent had on its CPU, in a child that has a CPU client of its own.

Their bytes are here, but the client that they belong to has lost its threads: to compute with them would wait for ever.
Each object is made over, in its place, into an array of the new client that looks at the same bytes. What it was before
stays as it is, for ever: nothing of the old client may be taken down.
"""
import gc
import sys

from _forkguard_absent.kept import keep

# Bytes of a pointer, and of an object's head, in CPython.
POINTER = 8
HEAD = 2 * POINTER
TRACKED_BY_GC = 1 << 14


def take_over(client, device):
    """The arrays of the old client, on the device. Answers how many of them the parent was still computing: what never
    comes to have a value here is an array that was deleted."""
    numpy = sys.modules["numpy"]
    arrays = client.live_arrays()
    _keep_all(type(array) for array in arrays[:1])
    unfinished = 0
    for array in arrays:
        keep(array)
        if len(array.sharding.device_set) != 1:
            continue
        if array.is_ready():
            _make_over(array, _on(device, array, numpy.asarray(array)))
        else:
            _make_over(array, _on(device, array, numpy.zeros(array.shape, array.dtype)))
            array.delete()
            unfinished += 1
    return unfinished


def _keep_all(kinds):
    """An array that goes takes itself out of its client's list, and so writes into its neighbours there: the deleted
    ones, which nobody lists, are to stay, too."""
    for kind in kinds:
        if not kind.__flags__ & TRACKED_BY_GC:
            raise TypeError("arrays that cannot be found")
        for thing in gc.get_objects():
            if type(thing) is kind:
                keep(thing)


def _on(device, array, value):
    put = sys.modules["jaxlib.xla_client"].batched_device_put
    sharding = sys.modules["jax._src.sharding_impls"].SingleDeviceSharding(device)
    return put(array.aval, sharding, [value], [device], array._committed)


def _make_over(array, new):
    kind = type(array)
    made = _made(array)
    if made.value != 1 or _made(kind.__new__(kind)).value != 0:
        raise TypeError("arrays of an unknown form")
    made.value = 0
    kind.__init__(array, array.aval, new.sharding, [new], array._committed, _skip_checks=True)


def _made(array):
    """The byte that says that the object was initialised: behind the head, and the two pointers that Python puts there
    before 3.11."""
    import ctypes

    kind = type(array)
    fields = sum(POINTER for at in (kind.__weakrefoffset__, kind.__dictoffset__) if at > 0)
    return ctypes.c_ubyte.from_address(id(array) + HEAD + fields)
