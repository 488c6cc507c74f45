"""Proves that the memory which a family shares, and the descriptor that is kept for it, are in nobody's way. It prints
whether each is there: `record.py SCENARIO`

    plain      before CUDA is initialised, after, and in a forked child
    worker     in a multiprocessing worker
    program    in a program that the process executes, and in one that its forked child executes
    numbers    no number of a descriptor as high as it would take
    files      files may not be larger than 4 KiB
    refused    the kernel refuses memfd_create
    taken      the program has a file of its own by that number; a child that uses CUDA still has
    replaced   FORKGUARD_EXEC names a program
"""
import ctypes
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile

RECORD = "/memfd:forkguard (deleted)"
SCENARIO = sys.argv[1]
driver = ctypes.CDLL("libcuda.so.1")


def descriptors():
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + fd) == RECORD:
                found.append(int(fd))
        except OSError:
            pass
    return found


def tell(who):
    with open("/proc/self/maps") as maps:
        mapped = sum(RECORD in line for line in maps)
    print(who, len(descriptors()), mapped, flush=True)


def initialise():
    assert driver.cuInit(0) == 0


def use():
    return driver.cuDeviceGetCount(ctypes.byref(ctypes.c_int()))


def in_child(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    print("ended with", os.waitpid(child, 0)[1], flush=True)


LISTING = "import os; print('program', [fd for fd in os.listdir('/proc/self/fd') if int(fd) > 400], flush=True)"


def refuse():
    """A filter that answers EPERM to memfd_create."""
    number = {"x86_64": 319, "aarch64": 279}[os.uname().machine]

    class Step(ctypes.Structure):
        _fields_ = [("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint)]

    class Filter(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("steps", ctypes.POINTER(Step))]

    steps = (Step * 4)(Step(0x20, 0, 0, 0), Step(0x15, 0, 1, number), Step(0x06, 0, 0, 0x50001), Step(0x06, 0, 0, 0x7fff0000))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.byref(Filter(4, steps)), 0, 0) == 0


def main():
    if SCENARIO == "plain":
        tell("before")
        initialise()
        tell("after")
        in_child(lambda: tell("child"))
    elif SCENARIO == "worker":
        initialise()
        worker = multiprocessing.get_context("fork").Process(target=tell, args=("worker",))
        worker.start()
        worker.join()
    elif SCENARIO == "program":
        initialise()
        subprocess.run([sys.executable, "-c", LISTING], close_fds=False, check=True)
        in_child(lambda: os.execv(sys.executable, [sys.executable, "-c", LISTING]))
    elif SCENARIO == "numbers":
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        initialise()
        tell("after")
        in_child(use)
    elif SCENARIO == "files":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        initialise()
        tell("after")
        in_child(use)
    elif SCENARIO == "refused":
        refuse()
        initialise()
        tell("after")
        in_child(use)
    elif SCENARIO == "taken":
        initialise()
        (number,) = descriptors()
        with tempfile.TemporaryFile() as own:
            os.dup2(own.fileno(), number)
            in_child(lambda: print("child", use(), os.path.sameopenfile(own.fileno(), number), flush=True))
            in_child(lambda: (use(), tell("child")))
            print("parent", os.path.sameopenfile(own.fileno(), number))
    elif SCENARIO == "replaced":
        initialise()
        in_child(use)
    else:
        raise SystemExit("no scenario is called " + SCENARIO)


if __name__ == "__main__":
    main()
