"""What the fresh process makes of the values that cross by a way of ours. Pickles name these functions."""
import importlib
import marshal
import sys
import types


# The program's modules that were loaded from a file, whether or not an import would find them.
files = {}


class ByFile:
    """Asked last: finds modules that the program loaded by their paths."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in files:
            return None
        import importlib.util

        file, inside = files[name]
        return importlib.util.spec_from_file_location(name, file, submodule_search_locations=inside)


def module(name):
    return sys.modules["__main__"] if name == "__main__" else importlib.import_module(name)


def made_module(name):
    made = sys.modules[name] = types.ModuleType(name)
    return made


def set_class(entry):
    cls, name, value = entry
    setattr(cls, name, value)


def attribute(module_name, path):
    value = module(module_name)
    for name in path.split("."):
        value = getattr(value, name)
    return value


def memory(whole, readonly):
    view = memoryview(whole)
    return view.toreadonly() if readonly else view


def cell():
    return types.CellType()


def fill_cell(made, contents):
    if contents:
        made.cell_contents = contents[0]


def function(code, module_name, name, cells):
    """Its globals are the module's own, so that what it sets there is seen."""
    return types.FunctionType(marshal.loads(code), vars(module(module_name)), name, None, cells)


def fill_function(made, state):
    made.__defaults__, made.__kwdefaults__, attributes, made.__qualname__, made.__module__, made.__doc__ = state[:6]
    if state[6]:
        made.__annotations__ = state[6]
    made.__dict__.update(attributes)
    for submodule in state[7]:
        importlib.import_module(submodule)


def built_in_function(module_name, name):
    """Before the program's own is put in its place."""
    made = vars(module(module_name))[name]
    if not isinstance(made, types.BuiltinFunctionType):
        raise AttributeError("%s.%s is another function here" % (module_name, name))
    return made


def cached(function, parameters):
    import functools

    return functools.lru_cache(**parameters)(function)


def fill_dict(made, attributes):
    made.__dict__.update(attributes)


def fill_attributes(made, state):
    items, attributes, slots = state
    if isinstance(made, dict):
        dict.update(made, items)
    elif isinstance(made, list):
        list.extend(made, items)
    if attributes:
        object.__getattribute__(made, "__dict__").update(attributes)
    for name, value in slots.items():
        object.__setattr__(made, name, value)


def semaphore_lock(cls, fd, offset, kind, maximum):
    """A lock of multiprocessing's. The guard's own sem_open maps the page that the name means."""
    made = cls.__new__(cls)
    made.__setstate__((0, kind, maximum, "/forkguard:%d:%d" % (fd, offset)))
    made._is_fork_ctx = True
    return made


def named_lock(cls, kind, maximum, name):
    made = cls.__new__(cls)
    made.__setstate__((0, kind, maximum, name))
    return made


class Fd:
    """Stands for an fd that is inherited under its number."""

    def __init__(self, fd):
        self.fd = fd

    def detach(self):
        return self.fd


class OtherProcess:
    """The Popen object of a process that only the parent can wait for."""

    def __init__(self, pid, returncode, sentinel):
        self.pid, self.returncode, self.sentinel = pid, returncode, sentinel

    def poll(self, flag=None):
        return self.returncode

    def duplicate_for_child(self, fd):
        return fd


def forgotten_finalizer(cls):
    made = cls.__new__(cls)
    # In no registry, so that calling it does nothing.
    made._weakref, made._key, made._pid = None, (None, None), 0
    made._callback = made._args = made._kwargs = None
    return made


def shared_memory(cls, state, is_open):
    import mmap

    made = cls.__new__(cls)
    vars(made).update(state)
    if is_open:
        made._mmap = mmap.mmap(made._fd, made._size)
        made._buf = memoryview(made._mmap)
    return made


def reference(referent, callback):
    import weakref

    # What it refers to is gone: so is what a new object's would be.
    return weakref.ref(referent if referent is not None else weakref.WeakSet(), callback)


def ended_thread():
    """Only the handle of a thread that ran can be joined."""
    import _thread

    handle = _thread.start_joinable_thread(int)
    handle.join()
    return handle


def local(values):
    import threading

    made = threading.local()
    made.__dict__.update(values)
    return made


def class_of(module, name):
    return type(attribute(module, name))


def pointer_type(target):
    import ctypes

    return ctypes.POINTER(target)


def function_type(result, arguments, flags):
    import _ctypes
    import ctypes

    if flags & _ctypes.FUNCFLAG_PYTHONAPI:
        return ctypes.PYFUNCTYPE(result, *arguments)
    errno = bool(flags & _ctypes.FUNCFLAG_USE_ERRNO)
    return ctypes.CFUNCTYPE(result, *arguments, use_errno=errno)


def context_variable(name, *value):
    import contextvars

    return contextvars.ContextVar(name, default=value[0]) if value else contextvars.ContextVar(name)


def variables(items):
    import contextvars

    context = contextvars.Context()
    for variable, value in items:
        context.run(variable.set, value)
    return context


def raw_file(fd, mode, name):
    import io

    made = io.FileIO(fd, mode)
    made.name = name
    return made


def text_file(buffer, encoding, errors, line_buffering, mode):
    import io

    made = io.TextIOWrapper(buffer, encoding, errors, None, line_buffering)
    made.mode = mode
    return made


def library(cls, name):
    return cls(name)


def library_functions(made, functions):
    for name, (restype, argtypes, errcheck) in functions.items():
        function = getattr(made, name)
        function.restype = restype
        if argtypes is not None:
            function.argtypes = argtypes
        if errcheck is not None:
            function.errcheck = errcheck


def mapping(path, device, inode, length, offset, writes, position):
    import mmap
    import os

    fd = os.open(path, (os.O_RDWR if writes else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        if (found.st_dev, found.st_ino) != (device, inode):
            raise FileNotFoundError("%s is no longer the file that was mapped" % path)
        made = mmap.mmap(fd, length, access=mmap.ACCESS_WRITE if writes else mmap.ACCESS_READ, offset=offset)
    finally:
        os.close(fd)
    made.seek(position)
    return made


def array_view(cls, base, dtype, shape, strides, offset, writeable):
    """An array over memory that another one has: both see what either writes."""
    import numpy

    made = numpy.ndarray(shape, dtype, base, offset, strides)
    made.flags.writeable = writeable and made.flags.writeable
    return made if cls is numpy.ndarray else made.view(cls)


def tensor_storage(buffer):
    """Over the carried pages, which are private: copy-on-write, as after a fork."""
    import torch

    view = memoryview(buffer)
    flat = torch.frombuffer(view, dtype=torch.uint8) if view.nbytes else torch.empty(0, dtype=torch.uint8)
    return flat.untyped_storage()


def sparse_tensor(make, arguments):
    """torch warns of the first one that a process makes."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(*arguments)


def fill_tensor(made, state):
    made.grad, attributes = state
    made.__dict__.update(attributes)


def typed_storage(untyped, dtype):
    import torch

    return torch.storage.TypedStorage(wrap_storage=untyped, dtype=dtype, _internal=True)


class NotCarried:
    """Stands for a global that could not cross. Whatever is done with it says so: nothing goes wrong in silence."""

    __slots__ = ("_NotCarried__text",)

    def __init__(self, text):
        object.__setattr__(self, "_NotCarried__text", text)

    def __repr__(self):
        return "<forkguard: %s>" % object.__getattribute__(self, "_NotCarried__text")

    def __reduce_ex__(self, protocol):
        return NotCarried, (object.__getattribute__(self, "_NotCarried__text"),)


def _refuse(self, *arguments, **named):
    raise RuntimeError(
        "forkguard (policy exec): %s. Make it in the worker, or start the workers before CUDA is initialised"
        % object.__getattribute__(self, "_NotCarried__text")
    )


for _name in (
    "getattribute setattr delattr call enter exit aenter aexit bool len iter next contains getitem setitem delitem "
    "eq ne lt le gt ge hash str int float index add radd sub mul truediv matmul mod await aiter anext"
).split():
    setattr(NotCarried, "__%s__" % _name, _refuse)
del _name
