"""In the fresh process: makes `__main__`, the modules and the settings what they were, and runs the worker.

It ends as a forked worker does. Whatever goes wrong before the program's own code runs is said on stderr, and the
worker ends with exit code 1.
"""
import importlib
import importlib.util
import io
import mmap
import os
import pickle
import sys
import types

from _forkguard import answered, made_classes, origin, rebuild, state, status
from _forkguard.errors import reason
from _forkguard.hashed import Containers
from _forkguard.overlays import Overlays
from _forkguard.sections import Reader

PAGE = 4096
AT_ONCE = 1 << 20


class NotReady(Exception):
    """`key` is what the worker cannot do without: (module, path), or None for what it was given."""

    def __init__(self, key, text):
        super().__init__(text)
        self.key = key


def run(fd, header):
    code, ready = 1, False
    for name in header["streamless"]:
        setattr(sys, name, None)
        setattr(sys, "__%s__" % name, None)
    if not answered.wait(fd, header["parent"]):
        os._exit(1)
    try:
        for inherited, closes in header["fds"]:
            if closes:
                try:
                    os.set_inheritable(inherited, False)
                except OSError:
                    # Another thread of the parent closed it meanwhile.
                    pass
        process, left = _prepare(fd, header)
        status.tell(header["status"], left)
        ready = True
        code = _bootstrap(process, header)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        import traceback

        if sys.stderr is not None:
            sys.stderr.write("forkguard: the fresh process for a worker could not be made ready (policy exec)\n")
            traceback.print_exc()
        if not ready:
            key = error.key if isinstance(error, NotReady) else None
            status.tell(header["status"], [("worker", key, reason(error))])
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        if header["runs_exit"]:
            import atexit

            atexit._run_exitfuncs()
        os._exit(code)


def _prepare(fd, header):
    package = header["package"]
    base = _pages(int.from_bytes(os.pread(fd, 8, 0), "little") + 8)
    if package == "billiard":
        _tell_celery()
    spawn = importlib.import_module(package + ".spawn")
    running = sys.modules[package + ".process"].current_process()
    if header["tracker"] is not None:
        tracker = importlib.import_module(package + ".resource_tracker")
        tracker._resource_tracker._fd = header["tracker"]
    body = io.BytesIO()
    for part in _parts(fd, base, header):
        body.write(part)
    buffers = _mapped(fd, base, header)
    os.close(fd)
    running._inheriting = True
    try:
        main = sys.modules["__main__"]
        if header["by_value"]:
            for name in list(vars(main)):
                if name not in ("__name__", "__builtins__", "__doc__", "__package__", "__loader__"):
                    del vars(main)[name]
            sys.modules["__mp_main__"] = main
            main.__spec__ = None
        preparation = pickle.loads(header["preparation"])
        name, path = (preparation.pop("init_main_from_" + way, None) for way in ("name", "path"))
        spawn.prepare(preparation)
        if name or path:
            _import_main(name, path)
        if not header["hashed"]:
            return _load(header, body, buffers)
        with Containers():
            return _load(header, body, buffers)
    finally:
        del running._inheriting


def _tell_celery():
    """That this worker was executed, in the way that it asks for it: its tasks are then those of the worker's own app,
    and not reached by memory that only a fork would have."""
    os.environ["FORKED_BY_MULTIPROCESSING"] = "1"
    base = sys.modules.get("celery.app.base")
    if base is not None:
        base.USING_EXECV = "1"


def _parts(fd, base, header):
    """Of the pickle, none of them large: in this process it is once."""
    for number, at, size in header["body"]:
        file, begin = (fd, base) if number < 0 else (header["stores"][number][0], 0)
        at += begin
        while size:
            part = os.pread(file, min(size, AT_ONCE), at)
            yield part
            at, size = at + len(part), size - len(part)


def _mapped(fd, base, header):
    """The buffers, copied on write. One mapping a file: each keeps an fd, which a forked worker would not have."""
    files = {-1: (fd, base, header["size"])}
    files.update((number, (store, 0, size)) for number, (store, size) in enumerate(header["stores"]))
    maps = {}
    for number in {number for number, _, _ in header["buffers"]}:
        file, at, size = files[number]
        access = mmap.PROT_READ | mmap.PROT_WRITE
        maps[number] = memoryview(mmap.mmap(file, size, mmap.MAP_PRIVATE, access, offset=at))
    for store, _ in header["stores"]:
        os.close(store)
    return [maps[number][at : at + size] for number, at, size in header["buffers"]]


def _pages(size):
    return (size + PAGE - 1) // PAGE * PAGE


def _import_main(name, path):
    """As spawn does, under the name `__mp_main__`; but the functions' globals are the module's, so that what is put
    there afterwards is what they see."""
    made = types.ModuleType("__mp_main__")
    if name:
        spec = importlib.util.find_spec(name)
        code = spec.loader.get_code(name)
        made.__spec__, made.__file__, made.__package__ = spec, spec.origin, spec.parent
    else:
        with io.open_code(path) as source:
            code = compile(source.read(), path, "exec", dont_inherit=True)
        made.__file__, made.__package__ = path, ""
    sys.modules["__main__"] = sys.modules["__mp_main__"] = made
    exec(code, vars(made))


def _load(header, body, buffers):
    reader = Reader(body, buffers, [section[2:] for section in header["sections"]])
    main = sys.modules["__main__"]
    overlays = Overlays()
    if header["files"]:
        rebuild.files.update(header["files"])
        sys.meta_path.append(rebuild.ByFile)
    settings, remembered, hooks, process, left = [], [], [], None, []
    for (module, path), text in header["lost"].items():
        overlays.add(module, path, rebuild.NotCarried(text))
    for what, key, *_ in header["sections"]:
        try:
            value = reader.read()
        except Exception as error:
            text = _without(what, key, error, header["reached"])
            left.append((what, key, reason(error)))
            reader.give_up(text)
            if what in ("global", "class") or what == "module" and not origin.made_by_import(*key):
                overlays.add(key[0], key[1], rebuild.NotCarried(text))
            continue
        if what == "global":
            vars(main)[key[1]] = value
        elif what == "module":
            overlays.add(key[0], key[1], value)
        elif what == "function":
            overlays.keep(key[0], key[1], value)
        elif what == "cache":
            remembered.append((key, value))
        elif what == "library":
            overlays.fill(key[0], key[1], value)
        elif what == "class":
            rebuild.set_class(value)
        elif what == "state":
            settings.append((key[1], value))
        elif what == "process":
            process = value
        else:
            _register(header["package"], value)
    for what, value in settings:
        if what == "fork hooks":
            hooks = value
            continue
        later = state.LATER.get(what)
        if later is None:
            state.put(what, value)
        else:
            overlays.when_imported(later, lambda module, what=what, value=value: state.put(what, value))
    for key, entries in remembered:
        overlays.remember(key[0], key[1], entries)
    for cloud in list(made_classes.waiting):
        overlays.when_imported(cloud, made_classes.tell)
    overlays.apply()
    state.put("fork hooks", hooks)
    if header["spec"] and header["by_value"]:
        try:
            main.__spec__ = importlib.util.find_spec(header["spec"])
        except (ImportError, ValueError, AttributeError):
            pass
    return process, left


def _without(what, key, error, reached):
    """Whether the worker can do without a thing that could not be made again: the text that its trap says."""
    if key is None:
        raise NotReady(None, "what it is given cannot be made again: %s" % reason(error)) from error
    text = "%s cannot be made again in a fresh process (%s)" % (key[1], reason(error))
    if what in ("global", "class", "module") and key in reached and not origin.made_by_import(*key):
        raise NotReady(key, "%s, and %s uses it" % (text, reached[key])) from error
    return text


def _register(package, entries):
    """For the forks that this process makes; what is made again has registered itself, or has not."""
    util = sys.modules[package + ".util"]
    known = {(ident, function.__qualname__) for _, ident, function in list(util._afterfork_registry)}
    for value, function in entries:
        if (id(value), function.__qualname__) not in known:
            util.register_after_fork(value, function)


def _bootstrap(process, header):
    package = header["package"]
    if header["runs_exit"]:
        import atexit

        atexit._clear()
        atexit.register(sys.modules[package + ".util"]._exit_function)
    if not header["sigint_blocked"]:
        import functools
        import signal

        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        except BaseException as interrupt:
            # It came while the process was made ready: it is for the program's code, as in a forked worker.
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                # Not raised by a function of the guard's, whose frame would be in the traceback.
                process.run = functools.partial(signal.raise_signal, signal.SIGINT)
            else:
                process.run = _raiser(interrupt)
    if header["child_r"] is not None:
        return process._bootstrap(parent_sentinel=header["child_r"])
    return process._bootstrap()


def _raiser(error):
    def run():
        raise error

    return run
