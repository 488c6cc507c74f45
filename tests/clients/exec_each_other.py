"""Proves that a start ends whose objects wait for another thread's start: one thread's argument, as it is pickled, waits
until the other thread has started its worker, which has to wait for its turn. Prints what the two workers sent.
"""
import ctypes
import multiprocessing
import threading

context = multiprocessing.get_context("fork")
assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
ours, theirs = context.Pipe()
in_its_turn, other_started = threading.Event(), threading.Event()


class Waits:
    def __reduce__(self):
        in_its_turn.set()
        other_started.wait()
        return str, ("waited",)


def start(value):
    process = context.Process(target=theirs.send, args=(value,))
    process.start()
    return process


def other():
    in_its_turn.wait()
    process = start("did not wait")
    other_started.set()
    process.join()


thread = threading.Thread(target=other)
thread.start()
start(Waits()).join()
thread.join()
print(sorted([ours.recv(), ours.recv()]))
