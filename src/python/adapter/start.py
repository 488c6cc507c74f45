"""Executes the interpreter again, as a child of this process, with the payload and the program's fds."""
import os
import signal
import stat
import struct
import sys

from _forkguard import native
from _forkguard.errors import Refused

# What the fresh interpreter runs: it reads the rest from memory. Nothing is imported before the path is the parent's:
# that of `-c` begins with the working directory. What is imported here is built in.
BOOT = (
    "import marshal as m,posix as o,sys;f=%d;n=int.from_bytes(o.pread(f,8,0),'little');h=m.loads(o.pread(f,n,8));"
    "sys.path[:]=h['path'];s={'__name__':'_forkguard'};exec(h['load'],s);s['install'](h['codes'],{}).child.run(f,h)"
)


def executable_of(package):
    util = sys.modules.get(package + ".spawn")
    named = util.get_executable() if util is not None else sys.executable
    if not named:
        raise Refused("the interpreter does not know its own program (sys.executable is empty)")
    named = os.fsencode(named)
    try:
        same = os.path.samestat(os.stat(named), os.stat("/proc/self/exe"))
    except OSError as error:
        raise Refused("the interpreter's program cannot be found: %s" % error) from None
    if not same:
        raise Refused("this interpreter is part of another program, %s is not it" % os.fsdecode(named))
    return named


def execute(executable, payload, header):
    """The pid. An interrupt must not meet a half-started worker: it is unblocked where the program's code begins."""
    arguments = [executable, *map(os.fsencode, _interpreter_flags()), b"-c", (BOOT % payload).encode()]
    arguments.append(b"--multiprocessing-fork")
    fds = sorted([fd for fd, _ in header["fds"]] + [payload])
    if fds[0] == 0 and stat.S_ISDIR(os.fstat(0).st_mode):
        raise Refused("its descriptor 0 is a folder, with which no interpreter begins")
    kept = struct.pack("%di" % len(fds), *fds)
    pid, errno = native["spawn"](_strings(arguments), _environment(), kept, signal.SIGINT)
    if not pid:
        raise Refused("%s could not be executed: %s" % (os.fsdecode(executable), os.strerror(errno)))
    return pid


def _strings(all):
    return b"".join(each + b"\0" for each in all)


def _interpreter_flags():
    import subprocess

    return subprocess._args_from_interpreter_flags()


def _environment():
    """None for the environment as it is; the guard is put back into it where the program took it out."""
    library, chain = native["settings"]()
    loaded = os.environb.get(b"LD_PRELOAD", b"").replace(b":", b" ").split()
    name = os.path.basename(os.fsencode(library))
    if any(os.path.basename(path) == name for path in loaded) and b"FORKGUARD_POLICY" in os.environb:
        return None
    environment = dict(os.environb)
    if not any(os.path.basename(path) == name for path in loaded):
        environment[b"LD_PRELOAD"] = b":".join([os.fsencode(library), *loaded])
    environment.setdefault(b"FORKGUARD_POLICY", os.fsencode(chain))
    return _strings(key + b"=" + value for key, value in environment.items())
