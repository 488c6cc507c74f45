"""Makes a worker's fresh process: gathers what it needs, and has it written (`payload`) and started (`start`)."""
import marshal
import os
import pickle
import signal
import sys

import _forkguard
from _forkguard import bodies, buffers, caches, functions, native, origin, own, patches, payload, pickling, reach, rebuild, start
from _forkguard import state, status, template, tensors
from _forkguard.errors import Refused, Unused, kind, reason

# In `__main__`, but the interpreter's.
NOT_GLOBALS = {"__builtins__", "__loader__", "__spec__", "__cached__", "__annotations__"}
# The modules of the adapter that the fresh process runs.
CHILD = (
    "errors", "rebuild", "made_classes", "hashed", "unwrapped", "own", "origin", "torch_state", "state", "status",
    "answered", "sections", "overlays", "child",
)  # fmt: skip
# Values that failed to cross once, and will again: (module, path) to (id, type, why).
_known = {}
# Values that cross only when they are seen to be used: (module, path) to (id, type, why).
_unused = {}
# What fresh processes failed to make again, not yet in `_known`: (module, path) to why.
_told = {}
# Shapes of processes of which an earlier one did not get ready, and why.
_broken = {}


def launch(package, process, child_r, child_w, not_passed, in_fork, runs_exit):
    """Answers the pid. `Refused`, or any ordinary exception, where it cannot be done."""
    if not hasattr(os, "memfd_create"):
        raise Refused("this Python was built without os.memfd_create")
    differ = native["rights"]()
    if differ:
        raise Refused(differ)
    executable = start.executable_of(package)
    shape = _shape(process)
    _learn()
    if shape in _broken:
        raise Refused("an earlier fresh process for the same work did not get ready: %s" % _broken[shape])
    cloud = pickling.cloudpickle(in_fork)
    if cloud is None:
        if in_fork and pickling.is_installed():
            raise Refused(
                "it was forked where nothing can be imported, and cloudpickle was not imported before (CUDA was "
                "initialised at that very moment, or an audit hook of the program's keeps the guard from watching)"
            )
        _check_main_guard()
    session = pickling.Session(package, cloud)
    walk = reach.Walk().run_for(process)
    try:
        return _start(session, walk, process, executable, shape, child_r, child_w, not_passed, runs_exit)
    except BaseException:
        tensors.take_back(session.given)
        raise


def _start(session, walk, process, executable, shape, child_r, child_w, not_passed, runs_exit):
    package = session.package
    preparation = _preparation(package, process, session)
    sections, lost = _pickled(session, walk, process)
    for key, why in lost.items():
        if key in walk.reached:
            what = "the global" if key[0] == "__main__" else "%s of the module %s" % (key[1], key[0])
            named = "%s `%s`" % (what, key[1]) if key[0] == "__main__" else what
            raise Refused("%s cannot cross into a fresh process (%s), and %s uses it" % (named, why, walk.reached[key]))
        session.suspect("%s%s was not carried: %s" % ("" if key[0] == "__main__" else key[0] + ".", key[1], why))
    header = {
        "package": package,
        "by_value": session.by_value,
        "hashed": session.hashed,
        "reached": {section[1]: walk.reached[section[1]] for section in sections if section[1] in walk.reached},
        "preparation": preparation,
        "sections": sections,
        "lost": {key: "%s cannot cross into a fresh process: %s" % (key[1], why) for key, why in lost.items()},
        "child_r": child_r,
        "child_w": child_w,
        "runs_exit": runs_exit,
        "tracker": _tracker_fd(package),
        "load": _forkguard.codes["load"],
        "path": [entry for entry in sys.path if type(entry) is str],
        "sigint_blocked": signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "codes": _codes_of_child(),
        "parent": os.getpid(),
        "files": _files(),
        "streamless": _streamless(),
        "spec": getattr(getattr(session.main, "__spec__", None), "name", None),
    }
    page = status.Page()
    try:
        header["status"] = page.place
        raws = [buffer.raw() for buffer in session.buffers]
        placement = buffers.Placement(raws)
        try:
            body = session.out.getbuffer()
            blocks = bodies.Blocks(body)
            try:
                fd, size = payload.write(session, header, not_passed, placement, raws, body, blocks)
                pid = template.worker(executable, fd, header)
                way = "template" if pid else "exec"
                pid = pid or start.execute(executable, fd, header)
            finally:
                blocks.release()
        finally:
            placement.release()
    except BaseException:
        page.give_back()
        raise
    page.watch(pid, shape)
    template.after_start()
    return pid, way, size, session.by_value, session.suspicious


_child_codes = []


def _codes_of_child():
    """Written once: it is as much work as all the rest of a small start's header."""
    if not _child_codes:
        _child_codes.append(marshal.dumps({name: _forkguard.codes[name] for name in CHILD}))
    return _child_codes[0]


def _shape(process):
    """The same for the workers that a pool starts in the place of those that ended."""
    held = vars(process)
    target = held.get("_target")
    named = tuple(getattr(target, name, None) for name in ("__module__", "__qualname__"))
    return type(process).__qualname__, named, tuple(map(id, held.get("_args", ())))


def _learn():
    """What earlier fresh processes failed to make again is not tried once more."""
    for shape, (what, key, why) in status.gather():
        if key is None:
            _broken[shape] = why
        else:
            _told[key] = why


def _check_main_guard():
    """Without cloudpickle `__main__` runs again in the fresh process, and must not start workers again."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if not isinstance(file, str):
        raise Refused("the program has no file to import again, and cloudpickle is not installed")
    line = _line_of_main(main)
    if line is None:
        return
    import ast

    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError) as error:
        raise Refused("the program cannot be read again: %s" % error) from None
    for statement in tree.body:
        last = getattr(statement, "end_lineno", statement.lineno)
        if statement.lineno <= line <= last and isinstance(statement, ast.If):
            if any(isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(statement.test)):
                return
    raise Refused(
        "%s:%d starts workers outside of `if __name__ == \"__main__\":`, and cloudpickle, with which that would not "
        "matter, is not installed" % (os.path.basename(file), line)
    )


def _line_of_main(main):
    for frame in sys._current_frames().values():
        while frame is not None:
            if frame.f_code.co_name == "<module>" and frame.f_globals is vars(main):
                return frame.f_lineno
            frame = frame.f_back
    return None


def _preparation(package, process, session):
    import importlib

    spawn = importlib.import_module(package + ".spawn")
    previous = session.contexts.get_spawning_popen()
    session.contexts.set_spawning_popen(_Popen(session))
    try:
        data = spawn.get_preparation_data(getattr(process, "name", None) or process._name)
        data["authkey"] = bytes(data["authkey"])
    finally:
        session.contexts.set_spawning_popen(previous)
    if session.by_value:
        for name in ("init_main_from_name", "init_main_from_path", "main_path", "main_name"):
            data.pop(name, None)
    data["sys_path"] = list(sys.path)
    return pickle.dumps(data, 5)


class _Popen:
    """What multiprocessing's reducers ask for: an fd goes across under its own number."""

    method = "spawn"

    def __init__(self, session):
        self.session = session

    def duplicate_for_child(self, fd):
        return fd

    def DupFd(self, fd):
        return rebuild.Fd(fd)


def _items(session, walk, process):
    for name, value in list(vars(session.main).items()):
        if name not in NOT_GLOBALS and not (name.startswith("__") and not session.by_value):
            if session.by_value or not _comes_by_import(name, value):
                yield "global", ("__main__", name), value
    for key, value in reach.own_values(walk):
        yield "module", key, value
    for key, value in functions.kept():
        yield "function", key, value
    for key, value in caches.kept():
        yield "cache", key, value
    for key, value in {**dict(patches.of_libraries()), **walk.library}.items():
        yield "library", key, value
    for what, value in state.taken():
        yield "state", ("this process", what), value
    for name, cls in list(vars(session.main).items()):
        if session.by_value and isinstance(cls, type) and cls.__module__ == "__main__":
            # Making a class runs the program's __init_subclass__ and metaclasses, which may set such things.
            for key, value in reach.class_values("__main__", cls):
                yield "class", ("__main__", key[1]), (cls, key[1].rpartition(".")[2], value)
    yield "process", None, process


def _files():
    """Where the program's modules came from, for those that it loaded by a path."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name != "__main__" and own.is_own(name):
            inside = getattr(module, "__path__", None)
            found[name] = module.__file__, list(inside) if inside is not None else None
    return found


def _streamless():
    """The standard streams that this program was started without. Their numbers may be those of its files by now."""
    return [name for name in ("stdin", "stdout", "stderr") if getattr(sys, "__%s__" % name) is None]


def _comes_by_import(name, value):
    import types

    return isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType))


def _pickled(session, walk, process):
    """The sections of the pickle, in order, and what is lost: (module, path) to the reason."""
    items = list(_items(session, walk, process))
    lost = {}
    for _, key, value in items:
        if key in _told:
            _known[key] = id(value), type(value), _told.pop(key)
        known = _known.get(key)
        if known is not None and known[:2] == (id(value), type(value)):
            lost[key] = known[2]
        held = _unused.get(key)
        if held is not None and held[:2] == (id(value), type(value)) and not walk.uses(key):
            lost[key] = held[2]
    previous = session.contexts.get_spawning_popen()
    session.contexts.set_spawning_popen(_Popen(session))
    try:
        while True:
            failed = _attempt(session, walk, items, lost)
            if not isinstance(failed, tuple):
                break
            key, value, error, why = failed
            if key is None:
                raise Refused("the worker's arguments cannot be pickled: %s" % why)
            if not isinstance(error, Refused):
                why = "a %s, %s" % (kind(value), why)
            lost[key] = why
            (_unused if isinstance(error, Unused) else _known)[key] = (id(value), type(value), why)
    finally:
        session.contexts.set_spawning_popen(previous)
    held = {key: value for _, key, value in items}
    for key in [key for key in lost if key[0] != "__main__" or key[1].endswith("()")]:
        if key[0] == "this process":
            session.suspect("the %s of the parent were not carried: %s" % (key[1], lost.pop(key)))
        elif _left_to_import(key, held[key]):
            session.suspect("%s.%s is as importing it makes it: %s" % (key[0], key[1], lost.pop(key)))
    return failed, lost


def _left_to_import(key, value):
    """Whether what could not cross is, as far as can be seen, what importing its module makes."""
    if own.is_own(key[0]):
        if key[1].endswith("()"):
            # Of what a function keeps, most is as it was made; of what it remembers, most can be made again.
            return True
        return origin.made_by_import(*key)
    return origin.may_be_made_by_import(*key) and not patches.is_of_the_program(value)


def _attempt(session, walk, items, lost):
    sections, pickler = [], session.pickler()
    for what, key, value in items:
        if key in lost:
            continue
        used = key is None or walk.uses((key[0], key[1][: -len("()")] if key[1].endswith("()") else key[1]))
        session.begin(used, used or not walk.complete)
        try:
            pickler.dump(value)
        except Exception as error:
            return (key, value) + _alone(error)
        sections.append((what, key, session.out.tell(), len(session.buffers)))
    session.begin(True, True)
    try:
        pickler.dump(session.after_fork)
    except Exception as error:
        return (None, None) + _alone(error)
    sections.append(("after fork", None, session.out.tell(), len(session.buffers)))
    return sections


def _alone(error):
    """An exception without the frames it came through, and what they say of it: one kept in a frame keeps itself, and
    all the program's objects in the frames below it, until the next garbage collection."""
    why = reason(error)
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None), why


def _tracker_fd(package):
    tracker = getattr(sys.modules.get(package + ".resource_tracker"), "_resource_tracker", None)
    return getattr(tracker, "_fd", None)
