"""Proves that files mapped into memory are so in a worker. `... shared|gone|private`

shared: numpy's memmap, a part of it, and the mapping itself are one memory, which the parent shares. gone: the file was
removed. private: the mapping is this process's own. The last two cannot cross: a fork stays a fork.
"""
import ctypes
import mmap
import multiprocessing
import os
import sys
import tempfile

import numpy

driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0
fork = multiprocessing.get_context("fork")
way = sys.argv[1]

file = tempfile.NamedTemporaryFile(delete=False)
numpy.arange(9000, dtype="int16").tofile(file.name)
# Its name is then given to another file: what is mapped decides.
numbers = numpy.memmap(file.name, "int16", "c" if way == "private" else "r+", offset=8194)
part = numbers[10:20:2]
read = numpy.memmap(file.name, "int16", "r")
moved = file.name + ".moved"
os.rename(file.name, moved)
with open(file.name, "w") as other:
    other.write("another file")
with open(moved, "r+b") as again:
    whole = mmap.mmap(again.fileno(), 0)
whole.seek(6)
over_whole = numpy.frombuffer(whole, "int16")
if way == "gone":
    os.unlink(moved)


def work():
    print("cuInit", driver.cuInit(0), flush=True)
    assert type(numbers) is numpy.memmap and numbers.mode in ("r+", "c") and numbers.offset == 8194
    assert numbers[0] == 4097 and part.tolist() == numbers[10:20:2].tolist() and len(read) == 9000
    assert not read.flags.writeable
    if way == "shared":
        numbers[10] = -1
        assert part[0] == -1 == read[4107]
        assert whole.tell() == 6 and len(whole) == 18000
        over_whole[0] = 77
        assert whole[:2] == b"M\0"
    print("mapped ok", flush=True)


process = fork.Process(target=work)
process.start()
process.join()
if way == "shared":
    assert numbers[10] == -1 and whole[:2] == b"M\0" and over_whole[0] == 77
for name in (file.name, moved):
    if os.path.exists(name):
        os.unlink(name)
