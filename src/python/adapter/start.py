"""Executes the interpreter again, as a child of this process, with the payload and the program's fds."""
import errno
import os
import signal
import sys

from _forkguard import native
from _forkguard.errors import Refused

# What the fresh interpreter runs: it reads the rest from memory.
BOOT = (
    "import marshal as m,os;f=%d;n,=__import__('struct').unpack('<Q',os.pread(f,8,0));h=m.loads(os.pread(f,n,8));"
    "s={'__name__':'_forkguard'};exec(h['load'],s);s['install'](h['codes'],{}).child.run(f,h)"
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
    arguments = [executable, *map(os.fsencode, _interpreter_flags()), b"-c", (BOOT % payload).encode()]
    arguments.append(b"--multiprocessing-fork")
    fds = [fd for fd, _ in header["fds"] if fd > 2] + [payload]
    # An interrupt must not meet a half-started worker: unblocked where the program's code begins.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        return _fork_exec(executable, arguments, fds, _environment())
    except _Closed:
        # Another thread closed one since they were listed; what it opened since is not missed.
        return _fork_exec(executable, arguments, list(filter(_is_open, fds)), _environment())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Closed(Refused):
    """One of the fds that were to be passed on is closed."""


def _is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


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
    return [key + b"=" + value for key, value in environment.items()]


def _fork_exec(executable, arguments, fds, environment):
    """As subprocess does it: vfork where it can, and a pipe that tells when executing failed."""
    import _posixsubprocess

    tells, told = os.pipe()
    try:
        version = sys.version_info[:2]
        ids = {(3, 8): []}.get(version, [None, None, None, -1])
        if version >= (3, 11):
            ids = [-1, *ids]
        last = [False] if version >= (3, 11) else []
        if last:
            import subprocess

            last = [getattr(subprocess, "_USE_VFORK", True)]
        pid = _posixsubprocess.fork_exec(
            arguments, [executable], True, tuple(sorted({*fds, told})), None, environment,
            -1, -1, -1, -1, -1, -1, tells, told, False, False, *ids, None, *last,
        )  # fmt: skip
        os.close(told)
        told = -1
        said = os.read(tells, 4096)
    finally:
        os.close(tells)
        if told >= 0:
            os.close(told)
    if said:
        os.waitpid(pid, 0)
        closed = said.startswith(b"OSError:%x:" % errno.EBADF)
        cause = _Closed if closed else Refused
        raise cause("%s could not be executed (%s)" % (os.fsdecode(executable), said.decode("ascii", "replace")))
    return pid
