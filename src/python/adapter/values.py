"""Values that need care to be in a fresh process what they are after a fork.

`reduce` answers what pickle's `__reduce__` would, or NotImplemented where the usual way is right. What cannot be
the same there is refused, never changed in silence.
"""
import copyreg
import operator
import sys
import types

from _forkguard import hashed, mapped, native, rebuild, tensors
from _forkguard.errors import Refused, kind
from _forkguard.own import is_own

# `Py_TPFLAGS_HEAPTYPE`: made at run time.
HEAP_TYPE = 1 << 9
# Types without a name that pickle itself knows.
BY_PICKLE = {type(None), type(NotImplemented), type(...)}


def reduce(value, session):
    cls = type(value)
    if cls is types.FunctionType:
        return _function(value, session)
    known = _BY_TYPE.get(cls)
    if known is not None:
        return known(value, session)
    if isinstance(value, type):
        if _is_array_of_c(value):
            return operator.mul, (value._type_, value._length_)
        named = resolves(value, value.__module__, value.__qualname__)
        if "_ctypes" in (cls.__module__, value.__module__) and not named:
            from _forkguard import classes

            answer = classes.of_ctypes(value)
            if answer is not NotImplemented:
                return answer
        return _built_in_type(value) if not value.__flags__ & HEAP_TYPE else NotImplemented
    if cls in session.ordinary:
        return NotImplemented
    if not session.hashed and is_own(cls.__module__) and hashed.hashes_itself(cls):
        session.hashed = True
    for matches, how in _BY_SHAPE:
        if matches(value, cls, session):
            return how(value, session)
    if not hasattr(cls, "__setstate__") and not _constants(cls):
        # All but a semaphore's owner and a library's constants are told by their class.
        session.ordinary.add(cls)
    return NotImplemented


# ---- code


def _built_in_type(cls):
    """One that the interpreter or an extension has in C. Not all are found by their own name (`dict_keys`)."""
    if cls in BY_PICKLE or resolves(cls, cls.__module__, cls.__qualname__):
        return NotImplemented
    for name, module in list(sys.modules.items()):
        if type(module) is types.ModuleType and module is not sys.modules["__main__"]:
            for path, value in list(vars(module).items()):
                if value is cls:
                    return rebuild.attribute, (name, path)
    raise Refused("the type %s, which no module names" % kind(cls))


def resolves(value, module_name, qualname):
    """Whether importing that module gives this very object by that name."""
    found = sys.modules.get(module_name)
    for name in (qualname or "").split("."):
        found = found.__dict__.get(name) if isinstance(found, (types.ModuleType, type)) else None
    if isinstance(found, (staticmethod, classmethod)):
        found = found.__func__
    return found is value


def _function(function, session):
    owner = function.__module__
    named = isinstance(owner, str) and resolves(function, owner, function.__qualname__)
    if named and (owner != "__main__" or not session.by_value) and not is_made(sys.modules[owner]):
        return NotImplemented
    home = function.__globals__.get("__name__")
    home = "__main__" if function.__globals__ is session.main.__dict__ else home
    module = sys.modules.get(home) if isinstance(home, str) else None
    if module is None or vars(module) is not function.__globals__:
        if session.by_value:
            return NotImplemented
        raise Refused("the function %s belongs to no module" % function.__qualname__)
    import marshal

    try:
        annotations = dict(function.__annotations__)
    except Exception:
        annotations = {}
    state = (
        function.__defaults__,
        function.__kwdefaults__,
        dict(function.__dict__),
        function.__qualname__,
        function.__module__,
        function.__doc__,
        annotations,
        _submodules(function),
    )
    code = marshal.dumps(function.__code__)
    made = (code, home, function.__name__, function.__closure__)
    return rebuild.function, made, state, None, None, rebuild.fill_function


def _submodules(function):
    """Submodules that the function's code reaches by their packages, `import a.b` in the program being `a` there."""
    names = set(function.__code__.co_names)
    names.update(*(part.co_names for part in function.__code__.co_consts if isinstance(part, types.CodeType)))
    found = []
    for name in names:
        package = function.__globals__.get(name)
        if type(package) is types.ModuleType and hasattr(package, "__path__"):
            prefix = package.__name__ + "."
            found += [
                module for module in list(sys.modules)
                if module.startswith(prefix) and names.issuperset(module[len(prefix):].split("."))
            ]  # fmt: skip
    return found


def _cell(cell, session):
    try:
        contents = (cell.cell_contents,)
    except ValueError:
        contents = ()
    return rebuild.cell, (), contents, None, None, rebuild.fill_cell


def _method(method, session):
    """Of what it is made, not by its name: in a cycle its object may have no class yet that is whole."""
    function = method.__func__
    if not session.by_value or type(function) is not types.FunctionType or function.__module__ != "__main__":
        return NotImplemented
    return types.MethodType, (function, method.__self__)


def _built_in_function(function, session):
    """One in whose place the program has put another, and which it kept: there it is still in its place."""
    module, name = function.__module__, function.__qualname__
    if not isinstance(module, str) or "." in name or resolves(function, module, name):
        return NotImplemented
    if not isinstance(vars(sys.modules.get(module, rebuild)).get(name), types.FunctionType):
        return NotImplemented
    return rebuild.built_in_function, (module, name)


def _is_new_type(value, cls, session):
    typing = sys.modules.get("typing")
    named = typing is not None and cls in (getattr(typing, "NewType", None), getattr(typing, "ParamSpec", None))
    return named and session.by_value and value.__module__ == "__main__"


def _new_type(value, session):
    """pickle knows them by their names alone."""
    more = (value.__supertype__,) if hasattr(value, "__supertype__") else ()
    return type(value), (value.__name__, *more), {"__module__": value.__module__}, None, None, rebuild.fill_dict


def is_made(module):
    """Whether the program has put it among the modules: no import would find it."""
    if type(module) is not types.ModuleType or module.__name__.partition(".")[0] in ("__main__", "_forkguard"):
        return False
    return getattr(module, "__spec__", None) is None and not hasattr(module, "__file__")


def _module(module, session):
    name = module.__name__
    if sys.modules.get(name) is not module:
        return NotImplemented
    if is_made(module):
        state = {key: value for key, value in vars(module).items() if key not in ("__builtins__", "__loader__")}
        return rebuild.made_module, (name,), state, None, None, rebuild.fill_dict
    return rebuild.module, (name,)


def _cached(function, session):
    """What it remembers goes by itself (`caches`), so that a result that cannot cross is no matter for the function."""
    if not session.by_value or function.__module__ != "__main__":
        return NotImplemented
    parameters = getattr(function, "cache_parameters", None)
    parameters = parameters() if parameters else {"maxsize": function.cache_info().maxsize, "typed": False}
    if function.cache_info().currsize and not resolves(function, function.__module__, function.__qualname__):
        session.suspect("the cache of %s is empty in the worker" % function.__qualname__)
    return rebuild.cached, (function.__wrapped__, parameters), dict(function.__dict__), None, None, rebuild.fill_dict


def _is_array_of_c(cls):
    """ctypes makes such classes as they are asked for, and gives the same one to all."""
    ctypes = sys.modules.get("ctypes")
    return ctypes is not None and issubclass(cls, ctypes.Array) and not resolves(cls, cls.__module__, cls.__qualname__)


def _memory(view, session):
    """Of the same object there, if it is a view of all of it."""
    whole = memoryview(view.obj) if view.obj is not None else None
    if whole is None or not view.c_contiguous or (view.nbytes, view.format) != (whole.nbytes, whole.format):
        raise Refused("a memoryview of a part of an object, or with a shape of its own")
    return rebuild.memory, (view.obj, view.readonly)


def _sentinel(value, session):
    """A bare object stands for itself: the one that importing its module makes."""
    for name, module in list(sys.modules.items()):
        if type(module) is types.ModuleType and module is not session.main:
            for attribute, known in list(vars(module).items()):
                if known is value:
                    return rebuild.attribute, (name, attribute)
    return NotImplemented


def _constants(cls):
    """Objects of a library's class that stand for themselves, `dataclasses.MISSING`, by their names."""
    if cls.__reduce_ex__ is not object.__reduce_ex__ or cls.__reduce__ is not object.__reduce__:
        return {}
    if is_own(cls.__module__):
        return {}
    if not all(base.__flags__ & HEAP_TYPE for base in cls.__mro__[:-1]) or copyreg._slotnames(cls):
        return {}
    space = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    return {name: value for name, value in list(space.items()) if type(value) is cls}


def _is_constant(value, cls, session):
    # One that holds something may be another here.
    return not getattr(value, "__dict__", None) and any(known is value for known in _constants(cls).values())


def _constant(value, session):
    cls = type(value)
    return rebuild.attribute, (cls.__module__, next(name for name, known in _constants(cls).items() if known is value))


def _is_kind_of_field(value, cls, session):
    return cls.__module__ == "dataclasses" and cls.__name__ == "_FIELD_BASE"


def _kind_of_field(value, session):
    """What a dataclass compares its fields with."""
    return rebuild.attribute, ("dataclasses", value.name)


# ---- threads


def _lock(lock, session):
    if lock.locked():
        raise Refused("a threading.Lock that is held at the moment")
    return type(lock), ()


def _rlock(lock, session):
    import threading

    if lock._is_owned() or not lock.acquire(False):
        raise Refused("a threading.RLock that is held at the moment")
    lock.release()
    return threading.RLock, ()


def _thread_lock(lock, session):
    import threading

    answer = _lock(lock, session)
    return (threading.Lock,) + answer[1:]


def _thread_handle(handle, session):
    """What a threading.Thread of Python 3.13 and later is but for its names."""
    if handle.is_done():
        return rebuild.ended_thread, ()
    # A forked child has the object and not the thread.
    if handle.ident:
        raise Refused("a threading.Thread that runs at the moment")
    return type(handle), ()


def _local(value, session):
    return rebuild.local, (dict(value.__dict__),)


def _context_variable(variable, session):
    missing = object()
    value = variable.get(missing)
    if value is missing:
        try:
            value = variable.get()
        except LookupError:
            return rebuild.context_variable, (variable.name,)
    return rebuild.context_variable, (variable.name, value)


def _variables(context, session):
    return rebuild.variables, (list(context.items()),)


# ---- weak references: what they refer to lives there as long as something else that crossed holds it


def _reference(reference, session):
    return rebuild.reference, (reference(), reference.__callback__)


def _weak_mapping(mapping, session):
    return type(mapping), (), None, None, iter(list(mapping.items()))


def _weak_set(known, session):
    return type(known), (list(known),)


# ---- files: the fd keeps its number and shares its offset, as after a fork


def _standard(stream):
    for name in ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"):
        if getattr(sys, name, None) is stream and getattr(sys, "__%s__" % name.strip("_"), None) is stream:
            return rebuild.attribute, ("sys", "__%s__" % name.strip("_"))
    return None


def _settled(stream):
    """Nothing of the file may wait in this process's buffers."""
    if stream.closed:
        raise Refused("a file that is closed")
    if stream.writable():
        stream.flush()
    if stream.readable():
        raw = stream.buffer.raw if hasattr(stream, "buffer") else stream.raw
        try:
            ahead = raw.tell() != stream.tell()
        except OSError:
            raise Refused("a file of which more may have been read than was used") from None
        if ahead:
            raise Refused("a file of which more was read than was used")


def _text_file(stream, session):
    standard = _standard(stream)
    if standard:
        return standard
    _settled(stream)
    if stream.readable():
        session.suspect("text file %r: its `newline` argument is taken to be the default" % (stream.name,))
    mode = getattr(stream, "mode", "r")
    return rebuild.text_file, (stream.buffer, stream.encoding, stream.errors, stream.line_buffering, mode)


def _buffered_file(stream, session):
    for name in ("stdin", "stdout", "stderr"):
        original = getattr(sys, "__%s__" % name, None)
        if getattr(original, "buffer", None) is stream:
            return rebuild.attribute, ("sys", "__%s__.buffer" % name)
    _settled(stream)
    return type(stream), (stream.raw,)


def _raw_file(stream, session):
    if stream.closed:
        raise Refused("a file that is closed")
    return rebuild.raw_file, (stream.fileno(), stream.mode, stream.name)


# ---- multiprocessing


def _is_semaphore_lock(value, cls, session):
    return hasattr(cls, "__setstate__") and hasattr(getattr(value, "_semlock", None), "handle")


def _semaphore_lock(value, session):
    lock = value._semlock
    place = native["semaphore"](lock.handle)
    if place is None and getattr(lock, "name", None):
        # Of a spawn context: it keeps its name, by which any process can open it.
        return rebuild.named_lock, (type(value), lock.kind, lock.maxvalue, lock.name)
    if place is None:
        raise Refused(
            "a %s whose semaphore was made where the guard did not see it, or whose fd the program closed" % kind(value)
        )
    fd, offset = place
    session.fds.add(fd)
    return rebuild.semaphore_lock, (type(value), fd, offset, lock.kind, lock.maxvalue)


def _is_popen(value, cls, session):
    return cls.__name__ == "Popen" and cls.__module__.startswith(session.package + ".popen_")


def _popen(value, session):
    return rebuild.OtherProcess, (value.pid, value.returncode, getattr(value, "sentinel", None))


def _is_finalizer(value, cls, session):
    util = sys.modules.get(session.package + ".util")
    return util is not None and cls is util.Finalize


def _finalizer(value, session):
    """What a worker inherits is not its own to finalise: a fork forgets it."""
    return rebuild.forgotten_finalizer, (type(value),)


def _is_context(value, cls, session):
    return isinstance(value, session.contexts.BaseContext)


def _context(value, session):
    module = session.contexts
    if value is module._default_context:
        return rebuild.attribute, (module.__name__, "_default_context")
    for name, context in module._concrete_contexts.items():
        if context is value:
            return module._default_context.get_context, (name,)
    return NotImplemented


def _is_shared_memory(value, cls, session):
    shared = sys.modules.get(session.package + ".shared_memory")
    return shared is not None and isinstance(value, shared.SharedMemory)


def _shared_memory(value, session):
    """By its fd, which is inherited: the name may be gone."""
    state = {name: part for name, part in vars(value).items() if name not in ("_mmap", "_buf")}
    return rebuild.shared_memory, (type(value), state, value._mmap is not None)


# ---- C libraries


def _is_library(value, cls, session):
    ctypes = sys.modules.get("ctypes")
    return ctypes is not None and isinstance(value, ctypes.CDLL)


def _library(value, session):
    functions = {}
    plain = type(value)
    for name, function in value.__dict__.items():
        if name.startswith("_") or not isinstance(function, value._FuncPtr):
            continue
        functions[name] = (function.restype, function.argtypes, getattr(function, "errcheck", None) or None)
    for name in value.__dict__:
        if name not in ("_name", "_FuncPtr", "_handle") and name not in functions:
            raise Refused("a ctypes library with an attribute of the program's, %s" % name)
    return rebuild.library, (plain, value._name), functions, None, None, rebuild.library_functions


# ---- arrays


def _is_array(value, cls, session):
    numpy = sys.modules.get("numpy")
    return numpy is not None and hasattr(numpy, "ndarray") and isinstance(value, numpy.ndarray)


def _array(value, session):
    """A view stays a view of what it is a view of, in the same memory."""
    numpy = sys.modules["numpy"]
    base = value.base
    while isinstance(base, numpy.ndarray) and base.base is not None:
        base = base.base
    if base is None or isinstance(base, bytes):
        return NotImplemented
    if isinstance(base, memoryview):
        base = base.obj
    shared = type(base).__module__ + "." + type(base).__name__
    if isinstance(base, numpy.ndarray):
        if value.dtype.hasobject or not base.flags.c_contiguous:
            return NotImplemented if value.size == base.size else _no_array(value, "an array that is not contiguous")
    elif not _is_ctypes_data(base) and not mapped.is_mapping(base, type(base), session):
        return _no_array(value, "a " + shared)
    start = numpy.frombuffer(base, numpy.uint8) if not isinstance(base, numpy.ndarray) else base
    offset = value.__array_interface__["data"][0] - start.__array_interface__["data"][0]
    attributes = getattr(value, "__dict__", None)
    made = type(value), base, value.dtype, value.shape, value.strides, offset, bool(value.flags.writeable)
    if attributes:
        return rebuild.array_view, made, dict(attributes), None, None, rebuild.fill_dict
    return rebuild.array_view, made


def _is_ctypes_data(value):
    ctypes = sys.modules.get("ctypes")
    return ctypes is not None and isinstance(value, (ctypes.Array, ctypes.Structure, ctypes._SimpleCData))


def _no_array(value, what):
    raise Refused("a numpy array over the memory of %s" % what)


# ---- memory of the GPU


def _is_on_gpu(value, cls, session):
    """By the protocol's attribute of the class: asking the object may do work. Also one of JAX's in main memory, which
    would initialise the GPU where it is made again."""
    return hasattr(cls, "__cuda_array_interface__")


def _on_gpu(value, session):
    session.meets_gpu(value)
    return NotImplemented


# ---- objects whose class answers for names that it does not have

PICKLES_ITSELF = {
    "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__",
}  # fmt: skip


def _answers_any_name(value, cls, session):
    """pickle would ask a half-made object for `__setstate__`, and the class's `__getattr__` go round for ever."""
    made = [base for base in cls.__mro__ if base.__flags__ & HEAP_TYPE]
    if not any("__getattr__" in vars(base) for base in made) or cls in copyreg.dispatch_table:
        return False
    own_memory = cls.__mro__[len(made)] in (object, dict, list) and made == list(cls.__mro__[: len(made)])
    return own_memory and not any(PICKLES_ITSELF.intersection(vars(base)) for base in made)


def _attributes_alone(value, session):
    """Neither way is the class's code asked."""
    cls = type(value)
    items = (dict if isinstance(value, dict) else list)(value) if isinstance(value, (dict, list)) else None
    try:
        attributes = dict(object.__getattribute__(value, "__dict__"))
    except AttributeError:
        attributes = {}
    slots = {}
    for name in copyreg._slotnames(cls):
        try:
            slots[name] = object.__getattribute__(value, name)
        except AttributeError:
            pass
    return copyreg.__newobj__, (cls,), (items, attributes, slots), None, None, rebuild.fill_attributes


def _types():
    import _io
    import _thread
    import contextvars
    import functools
    import weakref

    handles = {_thread._ThreadHandle: _thread_handle} if hasattr(_thread, "_ThreadHandle") else {}
    return {
        **handles,
        weakref.ref: _reference,
        weakref.WeakKeyDictionary: _weak_mapping,
        weakref.WeakValueDictionary: _weak_mapping,
        weakref.WeakSet: _weak_set,
        functools._lru_cache_wrapper: _cached,
        types.CellType: _cell,
        types.MethodType: _method,
        types.BuiltinFunctionType: _built_in_function,
        memoryview: _memory,
        object: _sentinel,
        types.ModuleType: _module,
        _thread.LockType: _thread_lock,
        _thread.RLock: _rlock,
        _thread._local: _local,
        contextvars.ContextVar: _context_variable,
        contextvars.Context: _variables,
        _io.TextIOWrapper: _text_file,
        _io.BufferedReader: _buffered_file,
        _io.BufferedWriter: _buffered_file,
        _io.BufferedRandom: _buffered_file,
        _io.FileIO: _raw_file,
        rebuild.NotCarried: rebuild.NotCarried.__reduce_ex__,
    }


_BY_TYPE = _types()
_BY_SHAPE = (
    (_is_semaphore_lock, _semaphore_lock),
    (_is_popen, _popen),
    (_is_finalizer, _finalizer),
    (_is_context, _context),
    (_is_shared_memory, _shared_memory),
    (_is_library, _library),
    (mapped.is_mapping, mapped.mapping),
    (_is_array, _array),
    (tensors.is_tensor, tensors.tensor),
    (tensors.is_storage, tensors.storage),
    (tensors.is_typed_storage, tensors.typed_storage),
    (_is_on_gpu, _on_gpu),
    (_answers_any_name, _attributes_alone),
    (_is_constant, _constant),
    (_is_new_type, _new_type),
    (_is_kind_of_field, _kind_of_field),
)
