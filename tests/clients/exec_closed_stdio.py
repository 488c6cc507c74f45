"""Proves that a worker has the files that have the numbers 0, 1 and 2 where its program was started without standard
streams: `exec_closed_stdio.py FOLDER`. A file, a pipe's end and the pipe of `multiprocessing` itself get these numbers;
with `folder` after it, the folder gets the first.
Writes what the worker and the program saw to FOLDER/result; what the worker printed is to be nowhere.
"""
import ctypes
import multiprocessing.connection
import os
import sys

folder = sys.argv[1]
if sys.stdout is not None:
    os.closerange(0, 3)
    os.execv(sys.executable, [sys.executable, *sys.argv])
context = multiprocessing.get_context("fork")
driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0
assert (sys.stdin, sys.stdout, sys.stderr) == (None, None, None)
if sys.argv[2:] == ["folder"]:
    assert os.open(folder, os.O_RDONLY) == 0


def work(data, there):
    print("printed by the worker")
    os.write(data, b"written by the worker\n")
    there.send((sys.stdout, sys.stderr, sys.__stdout__))
    there.recv()
    there.send(driver.cuInit(0))


def start():
    data = os.open(os.path.join(folder, "data"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    here, there = context.Pipe()
    process = context.Process(target=work, args=(data, there))
    taken = data, here.fileno(), there.fileno()
    process.start()
    there.close()
    yield "numbers %s" % sorted(taken + (process.sentinel,))[:3]
    yield "streams %s, %s, %s" % here.recv()
    yield "ended %s" % (multiprocessing.connection.wait([process.sentinel], 0) != [])
    here.send("go on")
    answered = here.recv()
    process.join()
    yield "exit code %d, init %d" % (process.exitcode, answered)


lines = [*start(), *start()]
with open(os.path.join(folder, "data")) as data:
    lines += data.read().splitlines()
with open(os.path.join(folder, "result"), "w") as result:
    result.write("\n".join(lines))
