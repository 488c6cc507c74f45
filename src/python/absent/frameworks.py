"""In a forked child in which CUDA is absent: tells the frameworks that its parent had imported.

They answer from what the parent saw and ask nobody again, so each is told at the fork, by a function `absent(module)`
in the module here that has its name. Every forked child pays for that: what is not needed before the first use of the
framework is put off until then. It is called again in a grandchild, which has inherited what was done in the child.
What can be made ready in the parent is, by `prepare(module)` where there is one: a child copies each page of memory
that it writes.
"""
import os
import sys

import _forkguard_absent
from _forkguard_absent import native

FRAMEWORKS = ("torch", "jax", "cupy", "numba", "onnxruntime", "paddle", "tensorflow")

# The variable that says which devices a program is to see.
VARIABLE = "CUDA_VISIBLE_DEVICES"

# Those that have been made ready, or cannot be.
_prepared = set()
# The forked child in which they were told last.
_told_in = []


def before_fork():
    for name, module in _imported():
        if name not in _prepared:
            _prepared.add(name)
            prepare = getattr(getattr(_forkguard_absent, name), "prepare", None)
            try:
                if prepare is not None:
                    prepare(module)
            except Exception:
                # The child tries again, and says why it cannot.
                pass


def in_child():
    if not native["is_absent"]() or _told_in == [os.getpid()]:
        return
    _told_in[:] = [os.getpid()]
    _hide_devices()
    for name, module in _imported():
        try:
            getattr(_forkguard_absent, name).absent(module)
        except Exception as error:
            notice(
                "CUDA is absent in this forked process, but %s could not be told (%s: %s): it may still say that "
                "there is a GPU" % (name, type(error).__name__, error)
            )


def _imported():
    for name in FRAMEWORKS:
        module = sys.modules.get(name)
        if module is not None and _is_complete(module):
            yield name, module


def _is_complete(module):
    """Not one that is being imported now, or will be when it is looked at: importlib.util.LazyLoader's. What stands in
    a module's place may raise whatever it likes."""
    if type(module) is getattr(sys.modules.get("importlib.util"), "_LazyModule", None):
        return False
    try:
        return not getattr(getattr(module, "__spec__", None), "_initializing", False)
    except Exception:
        return False


def _hide_devices():
    """In Python's copy of the environment; the environment itself was changed before, without the C library's lock.

    A program may have put something else in its place: a dict is changed, too, and what may run code of the program's
    is left as it is.
    """
    for environ, name, value in ((os.environb, VARIABLE.encode(), b""), (os.environ, VARIABLE, "")):
        if type(environ) is dict:
            environ[name] = value
        elif type(environ) is os._Environ:
            environ._data[environ.encodekey(name)] = environ.encodevalue(value)


_noticed_in = []


def notice(text):
    """Says one thing, once a process, whichever framework comes first."""
    pid = os.getpid()
    if _noticed_in != [pid]:
        _noticed_in[:] = [pid]
        native["notice"](text)
