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

from _forkguard import rebuild, state

PAGE = 4096


def run(fd, header):
    code = 1
    try:
        for inherited, closes in header["fds"]:
            if closes:
                try:
                    os.set_inheritable(inherited, False)
                except OSError:
                    # Another thread of the parent closed it meanwhile.
                    pass
        process = _prepare(fd, header)
        code = _bootstrap(process, header)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        import traceback

        sys.stderr.write("forkguard: the fresh process for a worker could not be made ready (policy exec)\n")
        traceback.print_exc()
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
    spawn = importlib.import_module(package + ".spawn")
    running = sys.modules[package + ".process"].current_process()
    if header["tracker"] is not None:
        tracker = importlib.import_module(package + ".resource_tracker")
        tracker._resource_tracker._fd = header["tracker"]
    buffers = [
        mmap.mmap(fd, size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE, offset=base + at)
        for at, size in header["buffers"]
    ]
    body = os.pread(fd, header["body"], base)
    while len(body) < header["body"]:
        body += os.pread(fd, header["body"] - len(body), base + len(body))
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
        return _load(header, body, buffers)
    finally:
        del running._inheriting


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
    unpickler = pickle.Unpickler(io.BytesIO(body), buffers=iter(map(memoryview, buffers)))
    main = sys.modules["__main__"]
    overlays = Overlays()
    settings, process = [], None
    for (module, path), text in header["lost"].items():
        overlays.add(module, path, rebuild.NotCarried(text))
    for what, key, *_ in header["sections"]:
        try:
            value = unpickler.load()
        except Exception as error:
            name = "the worker's process object" if key is None else "%s of %s" % (key[1], key[0])
            raise RuntimeError("%s cannot be made again in a fresh process" % name) from error
        if what == "global":
            vars(main)[key[1]] = value
        elif what == "module":
            overlays.add(key[0], key[1], value)
        elif what == "class":
            rebuild.set_class(value)
        elif what == "state":
            settings.append((key[1], value))
        elif what == "process":
            process = value
        else:
            _register(header["package"], value)
    for what, value in settings:
        later = state.LATER.get(what)
        if later is None:
            state.put(what, value)
        else:
            overlays.when_imported(later, lambda module, what=what, value=value: state.put(what, value))
    overlays.apply()
    if header["spec"] and header["by_value"]:
        try:
            main.__spec__ = importlib.util.find_spec(header["spec"])
        except (ImportError, ValueError, AttributeError):
            pass
    return process


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
        import signal

        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    if header["child_r"] is not None:
        return process._bootstrap(parent_sentinel=header["child_r"])
    return process._bootstrap()


class Overlays:
    """What modules are to hold beside what importing them makes. Applied at once to those that are imported, and to
    the others when they are."""

    def __init__(self):
        self.waiting = {}

    def add(self, module, path, value):
        if module == "__main__":
            vars(sys.modules["__main__"])[path] = value
            return
        self.when_imported(module, lambda found: _set(found, path, value))

    def when_imported(self, module, action):
        self.waiting.setdefault(module, []).append(action)

    def apply(self):
        for name in list(self.waiting):
            if name in sys.modules:
                self.done(sys.modules[name], name)
        if self.waiting:
            sys.meta_path.insert(0, self)

    def done(self, module, name):
        for action in self.waiting.pop(name, ()):
            action(module)

    def find_spec(self, name, path=None, target=None):
        if name not in self.waiting:
            return None
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, self)
                return spec
        return None


class _Loader:
    """Loads as the true loader does, then steps aside."""

    def __init__(self, true, overlays):
        self.true, self.overlays = true, overlays

    def __getattr__(self, name):
        return getattr(self.true, name)

    def create_module(self, spec):
        return self.true.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.true
        self.true.exec_module(module)
        self.overlays.done(module, module.__name__)


def _set(module, path, value):
    *owners, name = path.split(".")
    for owner in owners:
        module = getattr(module, owner)
    if type(module) in (types.ModuleType,):
        vars(module)[name] = value
    else:
        setattr(module, name, value)
