"""Memory files that nobody can change once they are sealed."""
import os

PAGE = 4096


def create(name, size):
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size)
    except BaseException:
        os.close(fd)
        raise
    return fd


def pages(size):
    return (size + PAGE - 1) // PAGE * PAGE


def put(fd, data, at):
    left = memoryview(data).cast("B")
    while len(left):
        done = os.pwrite(fd, left, at)
        left, at = left[done:], at + done


def seal(fd):
    try:
        import fcntl
    except ImportError:
        return
    # SEAL, SHRINK, GROW, WRITE: <linux/fcntl.h>; Python has the names from 3.8 on, where it was built with them.
    fcntl.fcntl(fd, getattr(fcntl, "F_ADD_SEALS", 1033), 0xF)
