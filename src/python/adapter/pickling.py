"""One pickle for everything that a fresh process gets: what is shared or cyclic in the parent is so there.

Functions and classes of `__main__` go by value, which is cloudpickle's work where a copy of it is installed. Without
one, `__main__` is imported again, as multiprocessing's spawn does.
"""
import collections
import copyreg
import importlib
import importlib.util
import io
import pickle
import sys

from _forkguard import classes, values
from _forkguard.errors import Refused, Unused, kind

# The package itself, and those that carry a copy.
PLACES = ("cloudpickle", "joblib.externals.cloudpickle", "ray.cloudpickle", "pyspark.cloudpickle")
# Smaller buffers go with the rest.
OUT_OF_BAND = 4096
# More than this is not carried for a worker that cannot be seen to use it: it would cost each start as long.
TOO_LARGE = 1 << 27


def cloudpickle(in_fork):
    """The module, or None. Inside `fork` nothing may be imported that registers a fork handler (`logging` does)."""
    for name in PLACES:
        module = sys.modules.get(name)
        if not in_fork and (module is not None or _is_installed(name)):
            try:
                # Also of one that is there: another thread may be about to import it.
                module = importlib.import_module(name)
            except Exception:
                continue
        if hasattr(module, "CloudPickler"):
            return module
    return None


def is_installed():
    return any(map(_is_installed, PLACES))


def _is_installed(name):
    # Asking for a submodule imports its package, which may be large.
    first = name.partition(".")[0]
    try:
        if first != name and first not in sys.modules:
            return importlib.util.find_spec(first) is not None and first == "joblib"
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False


class Session:
    """One start: what is being carried, and what goes with it."""

    def __init__(self, package, cloud):
        self.package = package
        self.contexts = sys.modules[package + ".context"]
        self.by_value = cloud is not None
        self.cloud = cloud
        self.main = sys.modules["__main__"]
        self.fds = set()
        self.registered = {}
        for (_, known, function), value in sorted(_after_forkers(package), key=lambda entry: entry[0][0]):
            self.registered.setdefault(known, []).append((value, function))
        self.suspicious = []
        # Classes whose objects need no care.
        self.ordinary = set()
        # Whether a class of the program's hashes its objects itself.
        self.hashed = False
        # Tensors given away by CUDA IPC: id to (tensor, what its reduction is).
        self.given = {}
        self.begin(True, True)

    def pickler(self):
        """A new one for each attempt: a pickle that broke off leaves memories of what was not written. It is not kept
        here: it holds the session, and the two would hold all the program's objects until a garbage collection."""
        self.storages = {}
        self.after_fork = []
        self.buffers = []
        self.out = io.BytesIO()
        return _class_for(self.cloud)(self)

    def suspect(self, text):
        if text not in self.suspicious:
            self.suspicious.append(text)

    def begin(self, used, may_be_used):
        """Whether the worker is seen to use what is pickled next, and whether it may use it nevertheless."""
        self.used, self.room = used, None if may_be_used else TOO_LARGE

    def meets_gpu(self, value):
        """Whoever does not use it is not to initialise CUDA for its sake."""
        if not self.used:
            raise Unused("a %s on the GPU" % kind(value))

    def keep(self, buffer):
        """pickle's question whether a buffer goes with the rest (true) or beside it."""
        size = buffer.raw().nbytes
        if size < OUT_OF_BAND:
            return True
        if self.room is not None:
            self.room -= size
            if self.room < 0:
                raise Unused("more than %d MiB of data" % (TOO_LARGE >> 20))
        self.buffers.append(buffer)
        return False


def _after_forkers(package):
    """What multiprocessing calls in a forked child: the registration is no part of the objects' own pickles."""
    util = sys.modules.get(package + ".util")
    return list(getattr(util, "_afterfork_registry", {}).items())


_classes = {}


def _class_for(cloud):
    name = cloud.__name__ if cloud else None
    if name not in _classes:
        _classes[name] = _make(cloud.CloudPickler if cloud else pickle.Pickler, cloud)
    return _classes[name]


def _make(base, cloud):
    by_cloud = getattr(base, "reducer_override", None)

    class Pickler(base):
        def __init__(self, session):
            self.session = session
            reduction = sys.modules[session.package + ".reduction"]
            tables = [getattr(reduction.ForkingPickler, "_extra_reducers", {})]
            own = getattr(base, "dispatch_table", None)
            tables += own.maps if isinstance(own, collections.ChainMap) else [copyreg.dispatch_table]
            self.dispatch_table = collections.ChainMap(*tables)
            super().__init__(session.out, 5, buffer_callback=session.keep)

        def reducer_override(self, value):
            answer = values.reduce(value, self.session)
            for known, function in self.session.registered.get(id(value), ()):
                if known is value:
                    self.session.after_fork.append((value, function))
            if answer is NotImplemented and isinstance(value, type) and not self.session.by_value:
                self.by_name(value)
            if answer is NotImplemented and type(value) in self.dispatch_table:
                return NotImplemented
            if answer is NotImplemented and by_cloud is not None and type(value) not in self.session.ordinary:
                if not isinstance(value, type):
                    return by_cloud(self, value)
                return classes.completed(value, classes.by_value(value, cloud) or by_cloud(self, value))
            return answer

        def by_name(self, cls):
            if not values.resolves(cls, cls.__module__, cls.__qualname__) and cls.__module__ == "__main__":
                raise Refused(
                    "the class %s is not to be found by its name, and cloudpickle, which could carry it, is not "
                    "installed" % kind(cls)
                )

    return Pickler
