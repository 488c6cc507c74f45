"""Keeps a template for this process, and asks it for workers (src/template says what that is).

Nothing here is needed for a worker to start: whatever is not as it should be, the worker is executed. The template's
process may differ from this one in nothing that a worker could not put on (`_place`); else it is passed over.
"""
import array
import marshal
import os
import sys
import time

import _forkguard
from _forkguard import native, own, pickling, sealed, start

NEVER, WHERE_IT_PAYS, ALWAYS = range(3)
# Seconds of processor time after which importing again is worth waiting for a template that does it already.
HEAVY = 0.3
# Seconds that a start waits at the most, and the shortest wait that is worth asking again.
PATIENCE, ALL_PATIENCE, LEAST = 10, 60, 0.05
# What the template runs; it reads the rest from memory.
BOOT = (
    "import marshal as m,posix as o,sys;h=m.loads(o.pread(3,o.fstat(3).st_size,0));sys.path[:]=h['path'];"
    "s={'__name__':'_forkguard'};exec(h['load'],s);s['install'](h['codes'],{}).warm.serve(h)"
)
# In Python's own library, and not to be imported for nothing.
LOUD = {"antigravity", "this"}
REFUSED, GONE, NOT_READY, INTERRUPTED = 0, -1, -2, -3


class _Process:
    """What this process knows of its template. A forked child begins anew."""

    def __init__(self):
        self.pid = os.getpid()
        self.starts = 0
        self.tried = self.is_due = False
        self.kept = None


class _Template:
    def __init__(self, pid, known, executable, place):
        self.pid, self.known, self.executable, self.place = pid, known, executable, place
        self.used = time.process_time()
        self.is_ready = self.was_waited_for = False

    def patience(self, mode):
        """How long a start may wait for it, in seconds, while it imports: once, for its imports began before an
        executed worker's would, and end before. (One that is ready is known by its connection, and waited for.)"""
        if self.is_ready:
            return PATIENCE
        if self.was_waited_for or (mode != ALWAYS and self.used < HEAVY):
            return 0
        return ALL_PATIENCE if mode == ALWAYS else PATIENCE

    def is_to_do(self, mode):
        """Seconds of a processor that its imports may take yet. What counts is not the clock: where others have the
        processors, an executed worker would be as slow."""
        if self.is_ready or mode == ALWAYS:
            return ALL_PATIENCE
        try:
            # The clock of another process's processor time, as `clock_getcpuclockid` makes it of the pid.
            done = time.clock_gettime(~self.pid << 3 | 2)
        except OSError:
            done = 0
        return 1.5 * self.used + 0.5 - done


_process = _Process()


def on_initialised():
    """CUDA was initialised in this process, whose imports were heavy. A fresh worker waits until it starts workers
    itself: 64 of them would keep 64 templates."""
    if native["template_settings"]()[0] == ALWAYS or not _forkguard.is_worker:
        _begin()


def worker(executable, fd, header):
    """The pid of a worker that is a copy of the template, or 0 where it is to be executed."""
    try:
        prepared = _prepared(executable, fd, header)
    except (OSError, MemoryError):
        return 0
    if prepared is None:
        return 0
    here, kept, body, files, mode = prepared
    patience = kept.patience(mode)
    until = time.monotonic() + patience
    while True:
        left = max(0, min(until - time.monotonic(), kept.is_to_do(mode)))
        answer = native["template_ask"](kept.known, body, files, int(left * 1000))
        if answer != INTERRUPTED and (answer != NOT_READY or left < LEAST):
            break
    if answer > 0:
        kept.is_ready = True
        return answer
    if answer == NOT_READY:
        kept.was_waited_for = kept.was_waited_for or patience > 0
    elif answer == GONE:
        here.kept = None
    return 0


def after_start():
    """A worker was executed, and goes first: the template is for those that follow."""
    here = _here()
    if here.is_due:
        here.is_due = False
        try:
            _begin()
        except Exception:
            # A saving, and no reason to lose the worker.
            pass


def _prepared(executable, fd, header):
    """What the template is to be asked, or None where there is none that could serve."""
    here = _here()
    mode, environment = native["template_settings"]()
    if mode == NEVER:
        return None
    here.starts += 1
    if here.kept is None:
        if mode == WHERE_IT_PAYS:
            here.is_due = here.starts >= 2
            return None
        _begin()
        if here.kept is None:
            return None
    # Another thread may find out meanwhile that it is gone.
    kept = here.kept
    place, ignored = _place()
    if kept is None or kept.executable != executable or kept.place != place:
        return None
    directory, failed = native["directory"]()
    if failed:
        return None
    files = array.array("i", {fd, directory, *(inherited for inherited, _ in header["fds"])}).tobytes()
    body = marshal.dumps((fd, directory, _environment(environment), ignored))
    return here, kept, body, files, mode


def _here():
    global _process
    if _process.pid != os.getpid():
        _process = _Process()
    return _process


def _begin():
    here = _here()
    if here.tried:
        return
    here.tried = True
    if native["rights"]() or not _can_have_ctypes():
        return
    executable = start.executable_of("multiprocessing")
    names = [name for name, module in list(sys.modules.items()) if module is not None and _is_importable(name)]
    of_program = [name for name in names if own.is_own(name)]
    orders = {
        "load": _forkguard.codes["load"],
        "codes": {name: _forkguard.codes[name] for name in (*_forkguard.launch.CHILD, "warm")},
        "program": os.getpid(),
        "path": [part for part in sys.path if isinstance(part, str)],
        "own": of_program,
        "modules": [name for name in names if name not in set(of_program)] + list(_of_workers()),
    }
    place, _ = _place()
    arguments = [executable, *map(os.fsencode, start._interpreter_flags()), b"-c", BOOT.encode()]
    arguments.append(b"--multiprocessing-fork")
    packed = marshal.dumps(orders)
    fd = sealed.create("forkguard-template", len(packed))
    try:
        sealed.put(fd, packed, 0)
        sealed.seal(fd)
        environment = _environment(native["template_settings"]()[1])
        pid, known = native["template_start"](executable, start._strings(arguments), environment, fd)
    finally:
        os.close(fd)
    if pid > 0:
        here.kept = _Template(pid, known, executable, place)


def _of_workers():
    """What every fresh worker imports, before its own code begins."""
    for package in ("multiprocessing", "multiprocess", "billiard"):
        if package in sys.modules:
            yield package + ".spawn"
            yield package + ".resource_tracker"
    yield from filter(pickling._is_installed, pickling.PLACES[:1])


def _environment(of_c):
    """As C has it, or with the guard put back into it."""
    changed = start._environment()
    return of_c if changed is None else changed


def _can_have_ctypes():
    if "_ctypes" in sys.modules or "_ctypes" in sys.builtin_module_names:
        return True
    return sys.modules["_frozen_importlib_external"].PathFinder.find_spec("_ctypes") is not None


def _is_importable(name):
    if name.partition(".")[0] in ("__main__", "__mp_main__", "_forkguard") or name in LOUD:
        return False
    return not name.endswith(".__main__")


def _place():
    """What of a process no child of another could put on: who it is, what it may do, what it sees. And, beside that,
    the signals that it ignores."""
    found = [os.getsid(0), os.getresuid(), os.getresgid(), sorted(os.getgroups())]
    ignored = 0
    with open("/proc/thread-self/status", "rb") as status:
        for line in status:
            name, _, value = line.partition(b":")
            if name == b"SigIgn":
                ignored = int(value, 16)
            elif name.startswith((b"Cap", b"NoNewPrivs", b"Seccomp")):
                found.append((name, value))
    for name in sorted(os.listdir("/proc/self/ns")):
        found.append((name, os.readlink("/proc/self/ns/" + name)))
    for name in ("cgroup", "oom_score_adj", "attr/current"):
        try:
            with open("/proc/self/" + name, "rb") as file:
                found.append((name, file.read()))
        except OSError as error:
            found.append((name, error.errno))
    root = os.stat("/proc/self/root/")
    found.append((root.st_dev, root.st_ino))
    return found, ignored
