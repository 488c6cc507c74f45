"""Large buffers on their way to a fresh process: written once, and read by all whose data is still the same.

They lie in sealed memfds, which the fresh processes map privately: copied on write, as after a fork. What another start
wrote is taken again after a comparison of every byte. The program's fds are left alone: those kept have high numbers,
are known again by their inode, and are few.
"""
import os

from _forkguard import native, sealed

# Smaller buffers, and starts that have less than this of them together, go with the rest.
LARGE = 1 << 16
WORTH = 1 << 22
MOST = 4
NAME = "forkguard-buffers"
# Out of the way of programs that count on the lowest free fd.
HIGH = 600

_kept = []


class Store:
    def __init__(self, raws):
        self.places, size = [], 0
        for raw in raws:
            self.places.append((size, raw.nbytes))
            size += sealed.pages(raw.nbytes)
        self.size, self.users = size, 1
        fd = sealed.create(NAME, size)
        try:
            for raw, (at, _) in zip(raws, self.places):
                sealed.put(fd, raw, at)
            sealed.seal(fd)
            self.fd = _moved(fd)
        finally:
            os.close(fd)
        self.inode = _inode(self.fd)

    def is_there(self):
        """Whether the fd is still ours: programs close all that they do not know."""
        return _inode(self.fd) == self.inode

    def holds(self, at, raw):
        return native["same"](self.fd, at, raw)

    def close(self):
        if self.is_there():
            os.close(self.fd)


def _moved(fd):
    import fcntl
    import resource

    below = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH if below < 0 or below > 2 * HIGH else 3)


def _inode(fd):
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Placement:
    """Of one start: for each buffer None, or (store, where) if it does not go with the rest."""

    def __init__(self, raws):
        self.places, self.written, self.held = [None] * len(raws), 0, []
        large = [number for number, raw in enumerate(raws) if raw.nbytes >= LARGE]
        if sum(raws[number].nbytes for number in large) < WORTH:
            return
        for store in _kept[:]:
            if store.is_there():
                store.users += 1
                self.held.append(store)
            else:
                _kept.remove(store)
        try:
            self._place(raws, large)
        except BaseException:
            self.release()
            raise

    def _place(self, raws, large):
        free = {}
        for store in self.held:
            for at, size in store.places:
                free.setdefault(size, []).append((store, at))
        missing = []
        for number in large:
            known = free.get(raws[number].nbytes, ())
            # Each place once: two arrays of the same data are two arrays.
            found = next((place for place in known if place[0].holds(place[1], raws[number])), None)
            if found is None:
                missing.append(number)
            else:
                known.remove(found)
                self.places[number] = found
        if missing:
            store = Store([raws[number] for number in missing])
            _kept.append(store)
            self.held.append(store)
            self.written = store.size
            for number, (at, _) in zip(missing, store.places):
                self.places[number] = store, at

    def stores(self):
        """Those that the fresh process needs, each once."""
        return list({id(found[0]): found[0] for found in self.places if found}.values())

    def release(self):
        """The fresh process has fds of its own. Lets go what is not worth its memory: the oldest, and what there is
        no room for."""
        used = self.stores()
        _kept[:] = [store for store in _kept if store not in used] + [store for store in _kept if store in used]
        for store in self.held:
            store.users -= 1
        room = available() // 4 if _kept else 0
        for number, store in enumerate(_kept[::-1]):
            room -= store.size
            if store.users == 0 and (room < 0 or number >= MOST):
                _kept.remove(store)
                store.close()


def available():
    try:
        with open("/proc/meminfo", "rb") as lines:
            for line in lines:
                if line.startswith(b"MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
