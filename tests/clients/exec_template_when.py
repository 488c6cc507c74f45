"""Proves when there is a warm template, and when it is passed over. `... PIECE`

Every worker uses CUDA, which a fork could not, and tells what it is to have of its parent. Prints `PIECE` and, for each
of the program's workers, the number of children that the program had beside it.
"""
import ctypes
import multiprocessing
import os
import sys
import tempfile
import time

context = multiprocessing.get_context("fork")
driver = ctypes.CDLL("libcuda.so.1")
libc = ctypes.CDLL(None)
NO_NEW_PRIVS = 38, 39


def children():
    with open("/proc/self/task/%d/children" % os.getpid()) as file:
        return file.read().split()


def work(expected):
    assert driver.cuInit(0) == 0
    assert found() == expected, (found(), expected)


def found():
    return os.getsid(0), libc.prctl(NO_NEW_PRIVS[1], 0, 0, 0, 0), os.getppid() == PARENT or os.getpid() == PARENT


def worker(target=work, *arguments):
    process = context.Process(target=target, args=arguments or (found(),))
    process.start()
    print(len(children()) - 1, end=" ")
    process.join()
    assert process.exitcode == 0, process.exitcode


def be_busy():
    while time.process_time() < 0.35:
        pass


def light_once():
    worker()


def light_twice():
    worker()
    worker()


def heavy():
    worker()


def off():
    worker()
    worker()


def nested():
    """A worker whose imports were heavy waits with a template of its own until it starts workers itself."""

    def uses_cuda(expected):
        be_busy()
        work(expected)
        # Whatever was asked of this thread for later has been done after any call.
        time.sleep(0)
        assert children() == [], children()

    worker(uses_cuda)


def session():
    worker()
    os.setsid()
    worker()


def privileges():
    worker()
    assert libc.prctl(NO_NEW_PRIVS[0], 1, 0, 0, 0) == 0
    worker()


def executable():
    worker()
    with tempfile.TemporaryDirectory() as place:
        other = os.path.join(place, "python")
        os.symlink(sys.executable, other)
        context.set_executable(other)
        worker()


def unanswering():
    """Somebody has killed it."""
    worker()
    (template,) = children()
    os.kill(int(template), 9)
    while open("/proc/%s/stat" % template).read().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.005)
    worker()
    assert children() == [], children()


piece = sys.argv[1]
if os.getpgid(0) == os.getpid():
    # The leader of a group cannot have a session of its own.
    pid = os.fork()
    if pid:
        sys.exit(os.waitpid(pid, 0)[1] != 0)
PARENT = os.getpid()
if piece in ("heavy", "nested"):
    be_busy()
print(piece, end=" ")
assert driver.cuInit(0) == 0
globals()[piece]()
print(flush=True)
