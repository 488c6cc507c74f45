"""Proves that two processes that both are process 1, each in a pid namespace of its own, share no semaphores but those
that they are to share. Run as process 1. Prints whether a lock of the child's stays held while its parent makes one.
"""
import ctypes
import multiprocessing
import os

NEW_PIDS = 0x20000000
context = multiprocessing.get_context("fork")
libc = ctypes.CDLL(None, use_errno=True)
before = context.Lock()
assert os.getpid() == 1
assert libc.unshare(NEW_PIDS) == 0, os.strerror(ctypes.get_errno())
here, there = context.Pipe()
child = os.fork()
if child == 0:
    assert os.getpid() == 1
    own = context.Lock()
    own.acquire()
    there.send("made")
    there.recv()
    print("held", not own.acquire(block=False), flush=True)
    os._exit(0)
assert here.recv() == "made"
after = context.Lock()
here.send("made")
os.waitpid(child, 0)
