"""Proves that a warm template ends with its program, whatever ends that, and not before. `... MOMENT`

It runs a program that initialises CUDA, waits for the moment named, tells the pids of all its children and sleeps;
kills that program by SIGKILL, and prints `MOMENT ok` when each of those children has ended as well.

`starting`: as soon as there is a child; `importing`: while the template is in the middle of an import that does not
come to its end; `waiting`: after a worker; `cuda`, `thread`, `process`, `forked`, `own`: when the template is of no
use, because a library initialises CUDA, leaves a thread, a process of a program or one that has all the template's
files, or imports a module of the program's.
"""
import ctypes
import os
import select
import signal
import subprocess
import sys
import tempfile
import time

LIBRARIES = {
    "importing": """
        import os, sys, time
        if "--multiprocessing-fork" in sys.argv:
            open(os.environ["IMPORTING"], "w").close()
            time.sleep(600)
        """,
    "cuda": """
        import ctypes
        ctypes.CDLL("libcuda.so.1").cuInit(0)
        """,
    "thread": """
        import threading, time
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        """,
    "process": """
        import subprocess, sys
        if "--multiprocessing-fork" in sys.argv:
            reads = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        """,
    "forked": """
        import ctypes, os, select, sys
        if "--multiprocessing-fork" in sys.argv:
            template = ctypes.CDLL(None).syscall(434, os.getpid(), 0)
            assert template >= 0
            if os.fork() == 0:
                select.select([template], [], [])
                os._exit(0)
        """,
    "own": """
        import of_the_program
        """,
}
REASONS = {
    "cuda": b"initialises CUDA",
    "thread": b"starts threads",
    "process": b"starts processes",
    "forked": b"starts processes",
    "own": b"the module of_the_program",
}


def program(moment):
    import multiprocessing

    if moment in LIBRARIES:
        import of_a_library  # noqa: F401
    driver = ctypes.CDLL("libcuda.so.1")
    assert driver.cuInit(0) == 0
    if moment not in ("starting", "importing"):
        process = multiprocessing.get_context("fork").Process(target=os.getpid)
        process.start()
        process.join()
        assert process.exitcode == 0
    reached = {
        "starting": lambda: True,
        "importing": lambda: os.path.exists(os.environ["IMPORTING"]),
        "waiting": lambda: True,
    }.get(moment, lambda: all(map(sleeps, children())))
    while not children() or not reached():
        time.sleep(0.005)
    print(*children(), flush=True)
    time.sleep(600)


def children():
    with open("/proc/self/task/%d/children" % os.getpid()) as file:
        return file.read().split()


def pidfd(pid):
    """As `os.pidfd_open`, which Python 3.8 has not."""
    fd = ctypes.CDLL(None).syscall(434, pid, 0)
    assert fd >= 0
    return fd


def sleeps(pid):
    """It tells why it is of no use, and has become the small program, without an interpreter's memory and threads."""
    with open("/proc/%s/cmdline" % pid, "rb") as line, open("/proc/%s/statm" % pid) as memory:
        name, why = (line.read() + b"\0").split(b"\0")[:2]
        return name == b"forkguard-sleeper" and REASONS[moment] in why and int(memory.read().split()[1]) < 100


moment = sys.argv[1]
if len(sys.argv) > 2:
    sys.path[:0] = sys.argv[2:]
    program(moment)
with tempfile.TemporaryDirectory() as place:
    folders = [os.path.join(place, name) for name in ("site-packages", "program")]
    for folder, name in zip(folders, ("of_a_library", "of_the_program")):
        os.mkdir(folder)
        with open(os.path.join(folder, name + ".py"), "w") as file:
            lines = LIBRARIES.get(moment, "").splitlines() if name == "of_a_library" else []
            file.write("\n".join(line[8:] for line in lines))
    environment = {**os.environ, "IMPORTING": os.path.join(place, "importing")}
    line = [sys.executable, "-B", __file__, moment, *folders]
    victim = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment)
    found = [(pid, pidfd(int(pid))) for pid in victim.stdout.readline().split()]
    assert len(found) == 1, found
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    for pid, ended in found:
        assert select.select([ended], [], [], 30)[0], "%s is still there" % pid
print(moment, "ok", flush=True)
