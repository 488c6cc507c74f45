"""What becomes of a fresh process before the program's code begins in it: one page that it shares with its parent.

A worker that cannot be made ready ends, a pool starts another, and so on without end. The parent reads here why the
earlier ones ended, and refuses a start that would end so again. The pages of all workers are in one memfd: whatever
number of them runs, the parent has one fd more.

Plain forks of the parent have that fd, too, and may be anybody by then: what is read here is text, and no more.
"""
import fcntl
import os

SIZE = 4096
NAME = "forkguard-status"
STARTING, TOLD = b"\0", b"\1"
# Out of the way of programs that count on low numbers.
FIRST_FD = 500

_watched = []
# (fd, which file that is, the process that made it), and the pages that nobody has.
_memory = (-1, None, 0)
_free = []


class Page:
    """The parent's side: `place`, (fd, offset), goes to the fresh process."""

    def __init__(self):
        global _memory
        if not _is_ours(_memory):
            # A forked process has the fd of its parent, which is not to be written to; a program may close any fd.
            _free[:] = range(SIZE * 64 - SIZE, -1, -SIZE)
            _memory = _new_memory()
        if not _free:
            end = os.fstat(_memory[0]).st_size
            _free[:] = range(end + SIZE * 63, end - 1, -SIZE)
        self.memory = _memory
        self.place = _memory[0], _free.pop()
        os.pwrite(self.memory[0], STARTING, self.place[1])

    def watch(self, pid, shape):
        self.pid, self.shape = pid, shape
        _watched.append(self)

    def give_back(self):
        if self.memory is _memory:
            _free.append(self.place[1])


def _new_memory():
    low = os.memfd_create(NAME, os.MFD_CLOEXEC)
    try:
        try:
            fd = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, FIRST_FD)
        except OSError:
            fd, low = low, -1
    finally:
        if low >= 0:
            os.close(low)
    return fd, _file(fd), os.getpid()


def _is_ours(memory):
    fd, file, owner = memory
    try:
        return owner == os.getpid() and _file(fd) == file
    except OSError:
        return False


def _file(fd):
    about = os.fstat(fd)
    return about.st_dev, about.st_ino


def gather():
    """What the fresh processes of this one told since the last question: pairs of shape and (what, key, why)."""
    found = []
    for page in list(_watched):
        if page.memory is not _memory or not _is_ours(_memory):
            _watched.remove(page)
            continue
        # Who ends after this look has told before the next one; who was killed first told nothing.
        runs = _runs(page.pid)
        fd, at = page.place
        if os.pread(fd, 1, at) == TOLD:
            size = int.from_bytes(os.pread(fd, 4, at + 1), "little")
            told = os.pread(fd, min(size, SIZE - 5), at + 5)
            found += [(page.shape, entry) for entry in _entries(told)]
        elif runs:
            continue
        _watched.remove(page)
        page.give_back()
    return found


def _runs(pid):
    """Whether this child of ours is neither gone nor a zombie."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return False
    return fields[0] not in (b"Z", b"X") and int(fields[1]) == os.getpid()


# Between the parts of an entry, and after each.
PART, END = "\x1f", "\x1e"


def _text(entries):
    text = "".join(PART.join((what, *(key or ("", "")), why)) + END for what, key, why in entries)
    return text.encode("utf-8", "replace")


def _entries(data):
    for line in data.decode("utf-8", "replace").split(END)[:-1]:
        parts = line.split(PART)
        if len(parts) == 4:
            what, module, path, why = parts
            yield what, (module, path) if module else None, why


def tell(place, entries):
    """The fresh process's side: (what, key, why) of all that could not be made again, if anything."""
    fd, at = place
    data = _text(entries)
    while len(data) > SIZE - 5:
        entries = entries[:-1] if len(entries) > 1 else [entries[0][:2] + (entries[0][2][: SIZE // 8],)]
        data = _text(entries)
    os.pwrite(fd, len(data).to_bytes(4, "little") + data, at + 1)
    # Last: whoever sees it finds the rest.
    os.pwrite(fd, TOLD, at)
    os.close(fd)
