"""CuPy where CUDA is absent: it is not available, and the error of every call says why. CuPy has no CPU to fall back
on."""
import sys

from _forkguard_absent import native

# Classes of errors whose text is told more of.
ERRORS = (
    ("cupy_backends.cuda.api.runtime", "CUDARuntimeError"),
    ("cupy_backends.cuda.api.driver", "CUDADriverError"),
)
# cudaErrorNoDevice and CUDA_ERROR_NO_DEVICE.
NO_DEVICE = 100


def absent(_cupy):
    cuda = sys.modules.get("cupy.cuda")
    if hasattr(cuda, "_available"):
        cuda._available = False
    for module, name in ERRORS:
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type):
            _explain(kind)


def _explain(kind):
    told = kind.__str__
    if getattr(told, "__module__", None) == __name__:
        return  # this child's parent was such a child

    initialiser, _ = native["origin"]()
    no_device = NO_DEVICE

    # Of its own names only: it is asked at the interpreter's end, too, when this module's are gone.
    def text(error):
        if getattr(error, "status", None) != no_device:
            return told(error)
        return (
            "%s: CUDA is absent in this forked process; its parent process (pid %d) has the GPU, and CuPy has no CPU "
            "mode. Use numpy here, or copy arrays to the host (cupy.asnumpy) before the fork"
            % (told(error), initialiser)
        )

    text.__module__ = __name__
    kind.__str__ = text
