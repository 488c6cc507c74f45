"""Thread pools that belong to the process, not to an object, in a child that has none of their threads.

In XLA and TensorFlow they are variables of C++ libraries that are made at their first use: cleared, they are made anew
at the next. They are found by their names in the library's symbol table; where that has none of such a name, or
several, nothing is touched.
"""
import struct

# What says that it was made: of XLA's alarm for slow compilations, its lock first; of the pools for compilations, for
# convolutions and for Fourier transforms.
XLA = (
    b"_ZN3xla12_GLOBAL__N_12muE",
    b"_ZN3xla12_GLOBAL__N_19init_flagE",
    b"_ZGVZN3xla12_GLOBAL__N_124GetCompilationThreadPoolEvE11thread_pool",
    b"_ZGVZN3xla12_GLOBAL__N_113ParallelStateC1ElE11global_pool",
    b"_ZGVZN3xla3cpu30GetFallbackThreadPoolForOneDnnEvE4pool",
    b"_ZGVZN5ducc06google12_GLOBAL__N_128GetGlobalThreadPoolSingletonEvE10eigen_pool",
    b"_ZGVZN5ducc06google12_GLOBAL__N_128GetGlobalThreadPoolSingletonEvE4pool",
)
# ELF: the fields that are needed, 64 bits, little end first (all that jaxlib is built for).
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
SYMBOL_TABLE = 2
WORD = 8


def clear(libraries, names):
    """In libraries whose paths end so, before they are first used in this process. Answers which there were."""
    import ctypes  # which these frameworks have imported; other programs need neither
    import mmap

    cleared = set()
    for path, base in _loaded(libraries):
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
            for name, address, size in _variables(image, names):
                if size <= WORD:
                    ctypes.memset(base + address, 0, size)
                    cleared.add(name)
    return cleared


def _loaded(libraries):
    """Those of them that are in this process, and where each begins."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.split(None, 5)
            if len(fields) == 6 and fields[5].rstrip("\n").endswith(libraries) and int(fields[2], 16) == 0:
                yield fields[5].rstrip("\n"), int(fields[0].partition("-")[0], 16)


def _variables(image, names):
    """Name, address and size of each variable of which there is exactly one."""
    sections = struct.unpack_from("<Q", image, 0x28)[0]
    count = struct.unpack_from("<H", image, 0x3C)[0]
    headers = [SECTION.unpack_from(image, sections + SECTION.size * at) for at in range(count)]
    for table in headers:
        if table[1] != SYMBOL_TABLE:
            continue
        texts = headers[table[6]]
        for name in names:
            text = image.find(b"\0" + name + b"\0", texts[4], texts[4] + texts[5])
            if text < 0:
                continue
            found = list(_symbols(image, table[4], table[5], text + 1 - texts[4]))
            if len(found) == 1:
                yield (name, *found[0])


def _symbols(image, begin, size, name):
    """Address and size of each symbol whose name stands at this place."""
    pattern = struct.pack("<I", name)
    at = image.find(pattern, begin, begin + size)
    while at >= 0:
        if (at - begin) % SYMBOL.size == 0:
            _, _, _, section, address, length = SYMBOL.unpack_from(image, at)
            if section:
                yield address, length
        at = image.find(pattern, at + 1, begin + size)
