"""Proves what an interrupt from the terminal does to a program and its workers. Without an argument, the terminal: runs
the program, interrupts it when its workers are at work, and prints what the program wrote on it, and how it ended.

    program   two workers wait for ever; each says that it is there
    early     a worker is interrupted while it is made ready
"""
import ctypes
import multiprocessing
import os
import pty
import signal
import sys


def wait(name):
    with open("/proc/self/cmdline", "rb") as line:
        fresh = line.read().endswith(b"-fork\0")
    os.write(1, b"%s fresh %d\n" % (name.encode(), fresh))
    while True:
        signal.pause()


def program(early):
    assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=wait, args=(name,), name=name) for name in ("one", "two")]
    if early:
        workers.pop().close()
    try:
        for worker in workers:
            worker.start()
            if early:
                os.kill(worker.pid, signal.SIGINT)
        workers[0].join()
    except KeyboardInterrupt:
        print("parent interrupted")
    for worker in workers:
        worker.join()
    print(*[worker.exitcode for worker in workers])


def terminal():
    child, fd = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-B", __file__, "program"])
    said = b""
    while True:
        try:
            got = os.read(fd, 4096)
        except OSError:
            # Nobody has the terminal open any more.
            break
        before = said.count(b"fresh 1")
        said += got
        if before < 2 <= said.count(b"fresh 1"):
            os.write(fd, b"\x03")
    status = os.waitpid(child, 0)[1]
    print(said.decode().replace("\r\n", "\n"), "status %d" % status)


if len(sys.argv) == 1:
    terminal()
else:
    program(sys.argv[1] == "early")
