"""What a process holds, seen from outside while it stands still: descriptors, mappings, memory, children, and files in
memory, its own and those of its children."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Health:
    """Of one process at one time."""

    descriptors: int
    memfds: int
    mappings: int
    private_kib: int
    resident_kib: int
    threads: int
    zombies: int
    shared_memory_kib: int

    def growth(self, later, private_kib, mappings):
        """A sentence for each thing of which there is more later than may be."""
        allowed = {
            "descriptors": 0,
            "memfds": 0,
            "mappings": mappings,
            "private_kib": private_kib,
            "threads": 0,
            "zombies": 0,
            "shared_memory_kib": 0,
        }
        found = []
        for what, more in allowed.items():
            before, after = getattr(self, what), getattr(later, what)
            if after > before + more:
                found.append(f"{what.replace('_', ' ')} {before} -> {after}")
        return found


def of(pid):
    """The process's, which is to be standing still."""
    place = Path("/proc") / str(pid)
    rollup = _fields(place / "smaps_rollup")
    status = _fields(place / "status")
    family = [pid, *descendants(pid)]
    return Health(
        descriptors=len(os.listdir(place / "fd")),
        memfds=len({link for member in family for link in _memfds(member)}),
        mappings=len((place / "maps").read_text().splitlines()),
        private_kib=sum(rollup.get(name, 0) for name in ("Private_Clean", "Private_Dirty", "Private_Hugetlb")),
        resident_kib=status["VmRSS"],
        threads=status["Threads"],
        zombies=sum(state(member) == "Z" for member in family),
        shared_memory_kib=_used("/dev/shm"),
    )


def children(pid):
    found = []
    try:
        for task in (Path("/proc") / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except FileNotFoundError:
        # It has ended meanwhile.
        pass
    return found


def descendants(pid):
    below = children(pid)
    return below + [one for child in below for one in descendants(child)]


def state(pid):
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


def _memfds(pid):
    """Files in memory that it has open, each with its number in the kernel."""
    folder = Path("/proc") / str(pid) / "fd"
    try:
        for descriptor in folder.iterdir():
            if os.readlink(descriptor).startswith("/memfd:"):
                yield os.stat(descriptor).st_ino
    except FileNotFoundError:
        pass


def _fields(path):
    """The numbers of a file of `Name:  123 kB` lines."""
    fields = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdigit():
            fields[name] = int(words[0])
    return fields


def _used(folder):
    system = os.statvfs(folder)
    return (system.f_blocks - system.f_bfree) * system.f_frsize // 1024
