"""numba.cuda where CUDA is absent: no GPU is available, and what needs one raises CudaSupportError with the reason."""
import sys

from _forkguard_absent import native

# What finalizers ask for; they run whenever an array of the parent's goes, and must not fail.
RELEASES = (
    "cuMemFree",
    "cuMemFreeHost",
    "cuMemHostUnregister",
    "cuModuleUnload",
    "cuLibraryUnload",
    "cuEventDestroy",
    "cuStreamDestroy",
    "cuLinkDestroy",
    "cuIpcCloseMemHandle",
)


def absent(_numba):
    driver = getattr(sys.modules.get("numba.cuda.cudadrv.driver"), "driver", None)
    state = getattr(driver, "__dict__", None)
    if state is None or not {"is_initialized", "initialization_error"} <= set(state):
        return
    initialiser, _ = native["origin"]()
    state["is_initialized"] = True
    state["initialization_error"] = (
        "CUDA is absent in this forked process; its parent process (pid %d) has it. What the parent has on the GPU "
        "must be copied to the host before the fork" % initialiser
    )
    # Functions that the parent has called are kept there; without them numba asks for the reason above first.
    for name in [name for name, value in state.items() if name.startswith("cu") and callable(value)]:
        del state[name]
    for name in RELEASES:
        state[name] = _release
    _forget_devices()


def _release(*_arguments):
    """The parent still has it."""


def _forget_devices():
    """The list of GPUs, which is kept by the function that made it or, in older versions, in an attribute."""
    devices = sys.modules.get("numba.cuda.cudadrv.devices")
    gpus = getattr(devices, "gpus", None)
    listing = getattr(getattr(type(gpus), "lst", None), "fget", None)
    if hasattr(listing, "cache_clear"):
        listing.cache_clear()
    getattr(gpus, "__dict__", {}).pop("lst", None)
    # Another thread may have held it at the fork.
    runtime = getattr(devices, "_runtime", None)
    if hasattr(runtime, "_lock"):
        runtime._lock = type(runtime._lock)()
