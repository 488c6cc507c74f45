"""What a fresh process reads: one sealed memfd, and the fds that it inherits beside it."""
import marshal
import os
import struct

from _forkguard import native

PAGE = 4096
NAME = "forkguard-payload"
# What /proc calls what is made for one worker. Another thread may be starting another one at this moment.
ANOTHERS = ("/memfd:%s " % NAME, "/memfd:forkguard-status ")


def write(session, header, not_passed):
    """All of it in one memfd, sealed: the header, the pickle, and the large buffers on pages of their own."""
    body = session.out.getbuffer()
    raws = [buffer.raw() for buffer in session.buffers]
    places, at = [], _pages(len(body))
    for raw in raws:
        places.append((at, raw.nbytes))
        at += _pages(raw.nbytes)
    header["buffers"], header["body"], header["fds"] = places, len(body), []
    fd = os.memfd_create(NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        inherited = _inherited(session, not_passed, header["status"])
        header["fds"] = inherited
        packed = marshal.dumps(header)
        # The number of the first page is not in the header: it follows from the header's length.
        base = _pages(len(packed) + 8)
        os.ftruncate(fd, base + at)
        _put(fd, struct.pack("<Q", len(packed)) + packed, 0)
        _put(fd, body, base)
        for raw, (place, _) in zip(raws, places):
            _put(fd, raw, base + place)
        _seal(fd)
    except BaseException:
        os.close(fd)
        raise
    return fd, base + at


def _pages(size):
    return (size + PAGE - 1) // PAGE * PAGE


def _put(fd, data, at):
    left = memoryview(data).cast("B")
    while len(left):
        done = os.pwrite(fd, left, at)
        left, at = left[done:], at + done


def _seal(fd):
    try:
        import fcntl
    except ImportError:
        return
    # SEAL, SHRINK, GROW, WRITE: <linux/fcntl.h>; Python has the names from 3.8 on, where it was built with them.
    fcntl.fcntl(fd, getattr(fcntl, "F_ADD_SEALS", 1033), 0xF)


def _inherited(session, not_passed, status):
    """Every fd crosses under its number, as it does in a fork: (fd, whether it closes on exec there). Not the
    driver's, not the parent's ends of this worker's pipes, not pages of semaphores that it does not use."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd in not_passed:
            continue
        try:
            target = os.readlink("/proc/self/fd/" + name)
            closes = not os.get_inheritable(fd)
        except OSError:
            continue
        if target.startswith(("/dev/nvidia", "/proc/driver/nvidia")):
            continue
        if target.startswith(ANOTHERS) and fd != status:
            continue
        if native["is_semaphore_fd"](fd) and fd not in session.fds:
            continue
        found.append((fd, closes))
    return found
