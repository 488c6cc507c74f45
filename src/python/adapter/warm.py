"""In the template: imports what the program has imported, waits, and becomes its workers (src/template says the rest).

Nothing the imports say or warn of is heard: stdout and stderr are /dev/null here. A template of no use does not end,
it sleeps until its program does.
"""
import marshal
import os
import signal
import sys

import _forkguard


def serve(orders):
    try:
        import ctypes

        natives = ctypes.PyDLL(None).forkguard_natives
        natives.restype = ctypes.py_object
        native = natives()
    except BaseException:
        _outlive(orders["program"])
    if not native["template_prepare"](orders["program"]):
        _outlive(orders["program"])
    try:
        why = _import(orders) or native["template_settle"]()
    except BaseException as error:
        why = type(error).__name__
    if why:
        native["template_sleep"](why)
    made = 0
    while True:
        body = native["template_next"](made)
        try:
            made = os.fork()
        except OSError:
            made = -1
        if made == 0:
            break
    _become(native, body)


def _outlive(program):
    """Without the library's help: the program was told that this would work, and its end is looked for by hand. Nobody is
    to wait for what nobody answers."""
    import time

    os.closerange(3, 1024)
    while os.getppid() == program:
        time.sleep(1)
    os._exit(0)


def _import(orders):
    """Why a process that has imported it all is of no use, or nothing."""
    import importlib

    guard = _Own(set(orders["own"]))
    sys.meta_path.insert(0, guard)
    for name in orders["modules"]:
        try:
            importlib.import_module(name)
        except BaseException:
            # The worker that needs it will say so.
            pass
    sys.meta_path.remove(guard)
    return "a library imports the module %s, which is the program's" % guard.asked if guard.asked else ""


class _Own:
    """Finds none of the program's own modules, which are for the workers, and keeps that a library asked for one."""

    def __init__(self, names):
        self.names, self.asked = names, None

    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            self.asked = name
            raise ModuleNotFoundError(name, name=name)
        return None


def _become(native, body):
    try:
        payload, directory, environment, ignored = marshal.loads(body)
        native["template_become"](directory)
        _put_environment(environment)
        _put_streams()
        _put_signals(ignored)
    except BaseException:
        native["template_fail"]()
    native["template_go"]()
    size = int.from_bytes(os.pread(payload, 8, 0), "little")
    header = marshal.loads(os.pread(payload, size, 8))
    _forkguard.child.run(payload, header)


def _put_environment(text):
    wanted = {}
    for entry in text.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals and name:
            # Of a variable that is there twice, the first counts.
            wanted.setdefault(name, value)
    zone = os.environb.get(b"TZ")
    for name in list(os.environb):
        if name not in wanted:
            del os.environb[name]
    for name, value in wanted.items():
        if os.environb.get(name) != value:
            os.environb[name] = value
    if os.environb.get(b"TZ") != zone:
        import time

        time.tzset()


def _put_streams():
    """As the interpreter makes them at its start, of the files that are there now."""
    import io

    for fd, name, writes in ((0, "stdin", False), (1, "stdout", True), (2, "stderr", True)):
        made = None
        try:
            os.fstat(fd)
            made = _stream(io, fd, name, writes, getattr(sys, name))
        except OSError:
            pass
        setattr(sys, name, made)
        setattr(sys, "__%s__" % name, made)


def _stream(io, fd, name, writes, like):
    unbuffered = like.write_through
    direct = writes and unbuffered
    buffer = io.open(fd, "wb" if writes else "rb", 0 if direct else -1, closefd=False)
    raw = buffer if direct else buffer.raw
    raw.name = "<%s>" % name
    by_line = not unbuffered and (raw.isatty() or fd == 2)
    made = io.TextIOWrapper(
        buffer, like.encoding, like.errors, "\n", line_buffering=by_line, write_through=unbuffered
    )
    made.mode = "w" if writes else "r"
    return made


def _put_signals(ignored):
    """Ignored signals stay ignored in a program that is executed; what the imports changed is not to be seen."""
    for number in signal.valid_signals():
        if number in (signal.SIGKILL, signal.SIGSTOP):
            continue
        if ignored >> (number - 1) & 1:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, signal.SIG_IGN)
        elif number in (signal.SIGPIPE, signal.SIGXFSZ):
            # The interpreter's own setting, which the parent's settings go over later.
            continue
        elif number == signal.SIGINT:
            if signal.getsignal(number) is not signal.default_int_handler:
                signal.signal(number, signal.default_int_handler)
        elif signal.getsignal(number) != signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
