"""Proves what a start does at the limits of the process: it fails as a fork's would, or its fork stays one, and when
there is room again workers are fresh processes again. Prints what became of each start.

    files        no file may be as large as what the worker is given
    memory       there is no memory for a copy of it
    descriptors  with no free fd, with one, with two, ...
    environment  the environment is larger than a program may be given
    executable   the interpreter is not where it is said to be, or something else is there
    leaks        200 starts that fail at the last step
"""
import ctypes
import multiprocessing
import os
import resource
import sys

context = multiprocessing.get_context("fork")
ours, theirs = context.Pipe()


def work(data):
    with open("/proc/self/cmdline", "rb") as line:
        theirs.send((len(data), line.read().endswith(b"-fork\0")))


def start(data=b""):
    process = context.Process(target=work, args=(data,))
    try:
        process.start()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    process.join()
    assert process.exitcode == 0, process.exitcode
    process.close()
    size, fresh = ours.recv()
    assert size == len(data)
    return "fresh" if fresh else "fork"


def limited(which, soft, data):
    before = resource.getrlimit(which)
    resource.setrlimit(which, (soft, before[1]))
    try:
        return start(data)
    finally:
        resource.setrlimit(which, before)


def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def is_open(fd):
    """Beside the one that the guard keeps for what fresh processes tell."""
    try:
        return "forkguard-status" not in os.readlink("/proc/self/fd/%d" % fd)
    except OSError:
        return False


def descriptors():
    most = 256
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    held = []
    while True:
        try:
            held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            break
    found = []
    while "fresh" not in found:
        assert len(found) < 30, found
        if found:
            os.close(held.pop())
        before = {fd for fd in range(most) if is_open(fd)}
        found.append(start())
        new = {fd for fd in range(most) if is_open(fd)} - before
        # multiprocessing itself leaves its first pipe open where it cannot make its second.
        assert not new or found[-1] == "OSError" and len(new) == 2, (found, new)
        for fd in new:
            os.close(fd)
    order = ["OSError", "fork", "fresh"]
    assert found == sorted(found, key=order.index), found
    print("without an error from %d on" % found.index("fork"))
    for fd in held:
        os.close(fd)


def leaks():
    enlarge()
    data = bytes(1 << 20)

    def has():
        with open("/proc/self/maps") as maps:
            return len(os.listdir("/proc/self/fd")), len(maps.readlines()), status("Threads")

    for _ in range(20):
        assert start(data) == "fork"
    before, memory = has(), status("VmRSS")
    for _ in range(200):
        assert start(data) == "fork"
    fds, maps, threads = has()
    assert (fds, threads) == (before[0], before[2]), (before, fds, threads)
    # The interpreter's own heap comes and goes.
    assert maps < before[1] + 10, (before, maps)
    assert status("VmRSS") < memory + 8192, (memory, status("VmRSS"))
    try:
        print("a child is left: %s" % (os.waitpid(-1, os.WNOHANG),))
    except ChildProcessError:
        print("nothing is left")


def enlarge():
    for number in range(60):
        os.environ["LARGE_%d" % number] = "x" * 100000


def main(way):
    assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    data = bytes(1 << 20)
    if way == "files":
        print(limited(resource.RLIMIT_FSIZE, 1 << 16, data))
    elif way == "memory":
        data = bytes(1 << 26)
        print(limited(resource.RLIMIT_AS, (status("VmSize") + 16384) * 1024, data))
    elif way == "descriptors":
        return descriptors()
    elif way == "environment":
        before = dict(os.environ)
        enlarge()
        print(start(data))
        os.environ.clear()
        os.environ.update(before)
    elif way == "executable":
        before = sys.executable
        for path in ("/nowhere/python", "/bin/sh"):
            multiprocessing.set_executable(path)
            print(start(data))
        multiprocessing.set_executable(before)
    elif way == "leaks":
        return leaks()
    print(start(data))


main(sys.argv[1])
