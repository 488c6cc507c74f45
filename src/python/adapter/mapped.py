"""Files that are mapped into memory (`mmap.mmap`, and so numpy's memmap): the fresh process maps the same file.

What the kernel says of the mapping decides, not what the program remembers: a file may have another name by now, and
the name another file. One that has no name any more is listed as deleted.
"""
import os
import sys

from _forkguard import rebuild
from _forkguard.errors import Refused


def is_mapping(value, cls, session):
    module = sys.modules.get("mmap")
    return module is not None and isinstance(value, module.mmap)


def mapping(value, session):
    address = _address(value)
    for line in _lines():
        area, permissions, offset, _, _, *name = line.rstrip("\n").split(" ", 5)
        first, last = (int(end, 16) for end in area.split("-"))
        if first <= address < last:
            break
    else:
        raise Refused("a mapping that the system does not list")
    path = name[0].strip().replace("\\012", "\n") if name else ""
    if not path.startswith("/") or path.endswith(" (deleted)"):
        raise Refused("memory that is mapped from no file, or from one that was removed")
    found = os.stat(path)
    writes = "w" in permissions
    if "s" not in permissions and writes:
        raise Refused("a file that is mapped for this process alone (copy on write)")
    at = int(offset, 16) + address - first
    return rebuild.mapping, (path, found.st_dev, found.st_ino, len(value), at, writes, value.tell())


def _lines():
    with open("/proc/self/maps", errors="surrogateescape") as lines:
        return list(lines)


def _address(value):
    numpy = sys.modules.get("numpy")
    if hasattr(numpy, "frombuffer"):
        return numpy.frombuffer(value, numpy.uint8).__array_interface__["data"][0]
    import ctypes

    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(value))
    except TypeError:
        raise Refused("a file that is mapped for reading only, which takes numpy to find in memory") from None
