"""What a process has beside its globals: signal handlers, logging, warnings, and other settings of the interpreter.

`taken` lists it in the parent, as (what, value); `put` restores one of them in the fresh process.
"""
import _abc
import _signal
import abc
import os
import sys
import types
import weakref

from _forkguard import own, torch_state

# What `_logging` answers where the program configured nothing.
UNCONFIGURED = (0, True, 30, {})


def taken():
    yield "recursion limit", sys.getrecursionlimit()
    yield "switch interval", sys.getswitchinterval()
    import gc

    yield "garbage collection", (gc.isenabled(), gc.get_threshold())
    handlers = _handlers()
    yield "signal handlers", {number: handler for number, handler in handlers.items() if not callable(handler)}
    for number, handler in handlers.items():
        if callable(handler):
            # Each by itself: one that cannot cross costs the others nothing.
            yield "handlers of signal %d" % number, (number, handler)
    for path, hook in _hooks():
        # Other objects are a shell's or a kernel's, which a worker is not.
        if isinstance(hook, types.FunctionType) and not _is_original(path, hook):
            yield "hook " + path, hook
    if _imported("warnings"):
        yield "warnings filters", list(sys.modules["warnings"].filters)
    if _imported("socket") and sys.modules["socket"].getdefaulttimeout() is not None:
        yield "socket timeout", sys.modules["socket"].getdefaulttimeout()
    if _imported("locale"):
        yield "locale", sys.modules["locale"].setlocale(sys.modules["locale"].LC_ALL)
    if _imported("decimal"):
        yield "decimal context", sys.modules["decimal"].getcontext()
    random = sys.modules.get("numpy.random")
    if hasattr(random, "get_state"):
        yield "numpy's random state", random.get_state()
    torch = sys.modules.get("torch")
    if hasattr(torch, "get_rng_state"):
        yield "torch's random state", torch.get_rng_state()
    if hasattr(torch, "get_default_dtype"):
        yield "torch's settings", dict(torch_state.taken())
    numpy = sys.modules.get("numpy")
    if hasattr(numpy, "get_printoptions"):
        yield "numpy's settings", (numpy.geterr(), numpy.get_printoptions())
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not getattr(sys, "__%s__" % name):
            yield "sys." + name, stream
        elif hasattr(stream, "reconfigure"):
            yield "reconfigured " + name, {way: getattr(stream, way) for way in STREAM if hasattr(stream, way)}
    if hasattr(sys, "get_int_max_str_digits"):
        yield "digits of int", sys.get_int_max_str_digits()
    if "faulthandler" in sys.modules and sys.modules["faulthandler"].is_enabled():
        yield "faulthandler", True
    found = {cls: how for cls, how in _copyreg().items() if own.is_own(how.__module__) or own.is_own(cls.__module__)}
    if found:
        yield "ways to pickle", found
    found = _registered()
    if found:
        yield "virtual bases", found
    found = fork_hooks()
    if found:
        yield "fork hooks", found
    logging = _logging() if _imported("logging") else UNCONFIGURED
    if logging != UNCONFIGURED:
        yield "logging", logging


def _imported(name):
    """Not while another thread imports it: nobody can have set anything in it."""
    return name in sys.modules and not getattr(getattr(sys.modules[name], "__spec__", None), "_initializing", False)


STREAM = ("encoding", "errors", "line_buffering", "write_through")


def _hooks():
    for owner, names in HOOKS.items():
        for name in names:
            if hasattr(sys.modules.get(owner), name):
                yield owner + "." + name, getattr(sys.modules[owner], name)


HOOKS = {
    "sys": ("excepthook", "unraisablehook", "displayhook", "breakpointhook"),
    "threading": ("excepthook",),
    "warnings": ("showwarning", "formatwarning"),
}


def _is_original(path, hook):
    """Whether the interpreter's own modules have put it there when they were made."""
    owner, _, name = path.rpartition(".")
    original = getattr(sys.modules[owner], "__%s__" % name, None)
    if owner == "threading" and original is None:
        original = getattr(sys.modules["_thread"], "_excepthook", None)
    if owner == "warnings":
        original = getattr(sys.modules["warnings"], "_%s_orig" % name, None)
    return hook is original


def _copyreg():
    return {cls: how for cls, how in sys.modules["copyreg"].dispatch_table.items() if hasattr(how, "__module__")}


def _registered():
    """Classes of `__main__` that abstract ones of the standard library were told of; those of `__main__` itself and
    their own registrations cross with them."""
    main = vars(sys.modules["__main__"])
    classes = [cls for cls in list(main.values()) if isinstance(cls, type) and cls.__module__ == "__main__"]
    found = []
    for name in ("collections.abc", "numbers", "os", "typing", "importlib.abc", "io") if classes else ():
        for base in list(vars(sys.modules[name]).values()) if name in sys.modules else ():
            if type(base) is abc.ABCMeta:
                registry = _abc._get_dump(base)[0]
                found += [(base, cls) for cls in classes if weakref.ref(cls) in registry]
    return found


_at_fork = []


def fork_hooks():
    """What the program has registered for its forked children (`os.register_at_fork`). The interpreter has no list of
    them for others; but it is a list, and threading's hook is in it."""
    threading = sys.modules.get("threading")
    known = getattr(threading, "_after_fork", None)
    if known is None:
        return []
    if not _at_fork:
        import gc

        lists = [found for found in gc.get_referrers(known) if type(found) is list and known in found]
        _at_fork.extend(lists if len(lists) == 1 else [[]])
    return [hook for hook in _at_fork[0] if own.is_own(getattr(hook, "__module__", None) or "")]


def _handlers():
    """By the module below `signal`, which makes no enumerations of them."""
    found = {}
    for number in range(1, _signal.NSIG):
        if number not in (_signal.SIGKILL, _signal.SIGSTOP):
            try:
                handler = _signal.getsignal(number)
            except ValueError:
                continue
            if handler is not None:
                found[number] = handler
    return found


def _logging():
    logging = sys.modules["logging"]
    found = {}
    loggers = dict(logging.root.manager.loggerDict)
    for name, logger in [(None, logging.root), *loggers.items()]:
        if isinstance(logger, logging.Logger):
            plain = not (logger.handlers or logger.filters or logger.disabled) and logger.propagate
            if not plain or logger.level != (logging.WARNING if name is None else logging.NOTSET):
                found[name] = (logger.level, logger.handlers, logger.filters, logger.disabled, logger.propagate)
    return logging.root.manager.disable, logging.raiseExceptions, logging.lastResort and logging.lastResort.level, found


def put(what, value):
    if what == "recursion limit":
        sys.setrecursionlimit(value)
    elif what == "switch interval":
        sys.setswitchinterval(value)
    elif what == "garbage collection":
        import gc

        gc.set_threshold(*value[1])
        (gc.enable if value[0] else gc.disable)()
    elif what == "signal handlers":
        for number, handler in value.items():
            if _signal.getsignal(number) != handler:
                _signal.signal(number, handler)
    elif what.startswith("handlers of signal "):
        number, handler = value
        if _signal.getsignal(number) is not handler:
            _signal.signal(number, handler)
    elif what == "warnings filters":
        import warnings

        warnings.filters[:] = value
        warnings._filters_mutated() if hasattr(warnings, "_filters_mutated") else warnings._filters_mutated_lock_held()
    elif what == "socket timeout":
        import socket

        socket.setdefaulttimeout(value)
    elif what.startswith("hook "):
        owner, _, name = what.partition(" ")[2].rpartition(".")
        setattr(__import__(owner), name, value)
    elif what.startswith("reconfigured "):
        stream = getattr(sys, what.partition(" ")[2])
        if stream is not None and any(getattr(stream, way) != set_to for way, set_to in value.items()):
            stream.reconfigure(**value)
    elif what == "digits of int":
        sys.set_int_max_str_digits(value)
    elif what == "faulthandler":
        import faulthandler

        faulthandler.enable()
    elif what == "ways to pickle":
        import copyreg

        copyreg.dispatch_table.update(value)
    elif what == "virtual bases":
        for base, cls in value:
            base.register(cls)
    elif what == "fork hooks":
        for hook in value:
            if hook not in fork_hooks():
                os.register_at_fork(after_in_child=hook)
            hook()
    elif what == "locale":
        import locale

        if locale.setlocale(locale.LC_ALL) != value:
            locale.setlocale(locale.LC_ALL, value)
    elif what == "decimal context":
        import decimal

        decimal.setcontext(value)
    elif what == "numpy's random state":
        sys.modules["numpy.random"].set_state(value)
    elif what == "torch's random state":
        sys.modules["torch"].set_rng_state(value)
    elif what == "torch's settings":
        torch_state.put(value)
    elif what == "numpy's settings":
        sys.modules["numpy"].seterr(**value[0])
        sys.modules["numpy"].set_printoptions(**value[1])
    elif what.startswith("sys."):
        setattr(sys, what[4:], value)
    elif what == "logging":
        _put_logging(value)


# Not to be imported for the setting alone: put when, and if, the module is.
LATER = {
    "logging": "logging",
    "numpy's random state": "numpy.random",
    "numpy's settings": "numpy",
    "torch's random state": "torch",
    "torch's settings": "torch",
}


def _put_logging(value):
    import logging

    logging.root.manager.disable, logging.raiseExceptions = value[0], value[1]
    if logging.lastResort is not None and value[2] is not None:
        logging.lastResort.setLevel(value[2])
    for name, (level, handlers, filters, disabled, propagate) in value[3].items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers, logger.filters, logger.disabled, logger.propagate = handlers, filters, disabled, propagate
        for handler in handlers:
            logging._addHandlerRef(handler)
