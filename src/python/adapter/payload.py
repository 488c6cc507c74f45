"""What a fresh process reads: one sealed memfd, and the fds that it inherits beside it."""
import errno
import marshal
import os
import posix
import struct

from _forkguard import buffers, native, sealed

NAME = "forkguard-payload"
# What /proc calls what is made for one worker. Another thread may be starting another one at this moment.
ANOTHERS = ("/memfd:%s " % NAME, "/memfd:%s " % buffers.NAME, "/memfd:forkguard-status ")


def write(session, header, not_passed, placement, raws, body, blocks):
    """All of it in one memfd, sealed: the header, the pickle, and the buffers on pages of their own, but for what
    lies in a memfd that workers share. It is closed when the program's fork answers, by who called this."""
    stores, places, inside = placement.stores(), [], []
    header["body"] = [(len(stores) if is_shared else -1, at, size) for is_shared, at, size in blocks.runs()]
    stores += [blocks.store] if blocks.store else []
    at = sealed.pages(sum(size for _, size in blocks.own))
    header["stores"] = [(store.fd, store.size) for store in stores]
    for raw, place in zip(raws, placement.places):
        if place is None:
            inside.append((raw, at))
            places.append((-1, at, raw.nbytes))
            at += sealed.pages(raw.nbytes)
        else:
            places.append((stores.index(place[0]), place[1], raw.nbytes))
    header["buffers"], header["size"] = places, at
    header["fds"] = _inherited(session, not_passed, {header["status"][0], *(store.fd for store in stores)})
    packed = marshal.dumps(header)
    # The number of the first page is not in the header: it follows from the header's length.
    base = sealed.pages(len(packed) + 8)
    fd, failed = native["payload"](NAME)
    if failed:
        raise OSError(failed, os.strerror(failed))
    os.ftruncate(fd, base + at)
    sealed.put(fd, struct.pack("<Q", len(packed)) + packed, 0)
    end = base
    for place, size in blocks.own:
        sealed.put(fd, body[place : place + size], end)
        end += size
    for raw, place in inside:
        sealed.put(fd, raw, base + place)
    sealed.seal(fd)
    return fd, base + at + placement.written + blocks.written


def _inherited(session, not_passed, ours):
    """Every fd crosses under its number, as it does in a fork: (fd, whether it closes on exec there). Not the
    driver's, not the parent's ends of this worker's pipes, not pages of semaphores that it does not use,
    not the record of this family."""
    found = []
    for name in posix.listdir("/proc/self/fd"):
        fd = int(name)
        if fd in not_passed:
            continue
        try:
            target = os.readlink("/proc/self/fd/" + name)
            closes = not os.get_inheritable(fd)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EBADF):
                raise
            # The listing's own, or one that another thread has closed.
            continue
        if target.startswith(("/dev/nvidia", "/proc/driver/nvidia")):
            continue
        if target.startswith(ANOTHERS) and fd not in ours:
            continue
        if native["is_our_fd"](fd) and fd not in session.fds:
            continue
        found.append((fd, closes))
    return found
