"""What is said about CUDA that is absent: PyTorch's own words for a machine without a GPU, and why that is so here."""
import os

from _forkguard_absent import frameworks
from _forkguard_absent import native


def why():
    initialiser, parent = native["origin"]()
    return _why(initialiser, initialiser == parent)


def _why(initialiser, is_parent):
    return "CUDA was initialised in %s (pid %d) before the fork; under forkguard's policy cpu it is absent here" % (
        "the parent process" if is_parent else "an ancestor process",
        initialiser,
    )


def no_gpu():
    return RuntimeError("No CUDA GPUs are available (%s)" % why())


def not_here():
    return RuntimeError(
        "This tensor lives in GPU memory of the process that sent it, which cannot be reached from here; move it to "
        "the CPU before it is sent (%s)" % why()
    )


def driver_text(is_parent):
    """In place of the runtime's own words, which follow "CUDA error: ", in the children of one process."""
    initialiser, _ = native["origin"]()
    text = (
        "no CUDA-capable device is detected. %s. A tensor that was on the GPU before the fork lives in GPU memory of "
        "the parent process (pid %d), which cannot be reached from here: move it to the CPU before the fork"
    )
    return (text % (_why(initialiser, is_parent), initialiser)).encode()


def notice(torch, frame):
    frameworks.notice(
        'torch was asked for "cuda"%s; the CPU takes its place (%s)' % (_place(torch, frame), why())
    )


def _place(torch, frame):
    """Where in the program: the innermost frame that is not PyTorch's own."""
    own = os.path.dirname(torch.__file__) + os.sep
    while frame is not None and frame.f_code.co_filename.startswith((own, "<forkguard")):
        frame = frame.f_back
    if frame is None:
        return ""
    return " at %s:%d" % (frame.f_code.co_filename, frame.f_lineno)

