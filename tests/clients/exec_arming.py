"""Proves that workers are fresh processes however the interpreter and CUDA came together. Prints, for each worker, what
CUDA answered in it and whether it is a fresh process.

    early          CUDA was initialised before the interpreter was (by libearly.so)
    threads        by eight threads at a time, each of which starts a worker at once
    child          in a forked child, which starts workers; the parent's stay forks
    grandchild     in a child of a forked child
    subinterpreter while there is a second interpreter
    forbidden      an audit hook of the program's forbids further ones
"""
import ctypes
import multiprocessing
import os
import sys
import threading

context = multiprocessing.get_context("fork")


def init():
    return ctypes.CDLL("libcuda.so.1").cuInit(0)


def look(pipe):
    with open("/proc/self/cmdline", "rb") as line:
        pipe.send((init(), line.read().endswith(b"-fork\0")))


def worker():
    ours, theirs = context.Pipe()
    process = context.Process(target=look, args=(theirs,))
    process.start()
    process.join()
    theirs.close()
    # A worker that the guard ends sends nothing.
    return ours.recv() if ours.poll(0) else process.exitcode


def in_child(work):
    """What `work` answers in a plain forked child."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, repr(work()).encode())
        os._exit(0)
    os.close(theirs)
    with open(ours, "rb") as answer:
        said = answer.read().decode()
    os.waitpid(child, 0)
    return said


def begun():
    assert init() == 0
    return worker(), worker()


way = sys.argv[1]
if way == "early":
    print(worker(), worker())
elif way == "threads":
    found = []
    together = threading.Barrier(8)

    def begin():
        driver = ctypes.CDLL("libcuda.so.1")
        together.wait()
        assert driver.cuInit(0) == 0
        found.append(worker())

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(found), *set(found))
elif way == "child":
    print(in_child(begun), worker())
elif way == "grandchild":
    print(in_child(lambda: in_child(begun)), worker())
elif way == "subinterpreter":
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        import _interpreters as interpreters
    other = interpreters.create()
    print(*begun())
    interpreters.destroy(other)
elif way == "forbidden":

    def forbid(event, arguments):
        if event == "sys.addaudithook":
            raise RuntimeError("no further hooks")

    # Where the fork itself has to be caught, nothing can be imported.
    import cloudpickle  # noqa: F401

    sys.addaudithook(forbid)
    print(*begun())
