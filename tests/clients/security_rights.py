"""Proves that a worker has no other rights than the fork that it stands for, and is hidden from others as that one is.

`... PIECE` does something to its own rights and starts a worker, which tells what it found. Prints that, the same with
plain forks and under FORKGUARD_POLICY=exec, and what CUDA answered in the worker.

`... template PIECE` has a warm template first, then does it, and tries to be answered by the template. Prints what came.
"""

import ctypes
import multiprocessing
import os
import socket
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
GET_DUMPABLE, SET_DUMPABLE, SET_KEEPCAPS, SET_NO_NEW_PRIVS = 3, 4, 8, 38
NOBODY = 65534
CAPSET = {"x86_64": 126, "aarch64": 91}[os.uname().machine]


def rights():
    with open("/proc/self/status") as status:
        found = [line.split() for line in status if line.startswith(("Cap", "NoNewPrivs", "Uid", "Gid", "Groups"))]
    return found, "dumpable", libc.prctl(GET_DUMPABLE, 0, 0, 0, 0)


def nothing():
    pass


def hidden():
    assert libc.prctl(SET_DUMPABLE, 0, 0, 0, 0) == 0


def user():
    """A service that begins as root and goes on as somebody else, for good. The kernel hides it."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def no_new_rights():
    assert libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0


def capabilities():
    """Root that gives its capabilities up, and would have them again in a program that it executes."""
    header = struct.pack("Ii", 0x20080522, 0)
    none = struct.pack("6I", *[0] * 6)
    assert libc.syscall(ctypes.c_long(CAPSET), header, none) == 0


def capabilities_for_good():
    no_new_rights()
    capabilities()


def effective_user():
    os.seteuid(NOBODY)


def saved_user():
    """Somebody else who can become root again."""
    os.setresuid(NOBODY, NOBODY, 0)


def kept_capabilities():
    """Somebody else who has what a program that it executes would not have."""
    assert libc.prctl(SET_KEEPCAPS, 1, 0, 0, 0) == 0
    user()


def work(told):
    told.send((rights(), ctypes.CDLL("libcuda.so.1").cuInit(0)))


def worker():
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs,))
    process.start()
    theirs.close()
    answer = ours.recv()
    process.join()
    return answer


def template():
    """The abstract name under which this program's template listens."""
    with open("/proc/self/task/%d/children" % os.getpid()) as children:
        (child,) = children.read().split()
    files = "/proc/%s/fd/" % child
    inodes = [os.stat(files + fd).st_ino for fd in os.listdir(files)]
    with open("/proc/net/unix") as sockets:
        next(sockets)
        (name,) = {line.split()[7] for line in sockets if int(line.split()[6]) in inodes}
    return name[1:]


def greeting(name):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(b"\0" + name.encode())
        try:
            return len(connection.recv(64))
        except ConnectionResetError:
            return 0


if __name__ == "__main__":
    assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    if sys.argv[1] == "template":
        assert worker()[1] == 0
        name = template()
        print("before", greeting(name) > 0)
        globals()[sys.argv[2]]()
        print("after", greeting(name) > 0)
    else:
        globals()[sys.argv[1]]()
        found, init = worker()
        print(found, "init", init)
